"""Render: the text of each claimed delivery, outside any transaction.

Each row is rendered on its own: one bad template value fails one delivery.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from crm.models import Contact, Device, Event
from notifications.channels.base import Button as PushButton
from notifications.channels.base import OutgoingPush
from notifications.content.context import ItemLoader, build_context, find_item
from notifications.content.errors import RenderAborted, RenderError
from notifications.content.locales import choose_locale
from notifications.content.render import (
    Button,
    LinkRules,
    PushContent,
    RenderedPush,
    render_push,
)
from notifications.delivery.report_token import sign_report
from notifications.delivery.route import Route
from notifications.delivery.shelf import ItemWanted, Key, Shelf
from notifications.models import CampaignVersion, Delivery, Sender, TemplateContent

# Lines of an order that a message is likely to name.
NEAR_LINES = 5


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished text and the language it is in."""

    push: RenderedPush
    locale: str


@dataclass(frozen=True, slots=True)
class Unrendered:
    """Why there is no text. `state` is failed or skipped."""

    state: str
    reason: str
    detail: str


def render_deliveries(
    deliveries: Sequence[Delivery],
    routes: Mapping[uuid.UUID, Route],
    *,
    sender: Sender,
    at: datetime,
) -> dict[uuid.UUID, Rendered | Unrendered]:
    """The text, or the reason why there is none, of each delivery with a device."""
    routed = [row for row in deliveries if routes[row.pk].devices]
    sources = _Sources(routed)
    done: dict[uuid.UUID, Rendered | Unrendered] = {}
    waiting: Sequence[Delivery] = routed
    # Each turn reads what the one before lacked, so that it ends: a message may look
    # up so many items and no more.
    while waiting:
        lacking: list[Delivery] = []
        for row in waiting:
            try:
                done[row.pk] = _render_one(
                    row, routes[row.pk], sender=sender, sources=sources, at=at
                )
            except ItemWanted:
                lacking.append(row)
        sources.shelf.read_wanted()
        waiting = lacking
    return done


def _render_one(
    row: Delivery, route: Route, *, sender: Sender, sources: _Sources, at: datetime
) -> Rendered | Unrendered:
    contents = choose_contents(row)
    if not contents:
        return Unrendered("failed", "template_error", "The template has no content.")
    default = next(iter(contents))
    locale = choose_locale(route.locale, list(contents), default)
    try:
        push = render_push(
            contents[locale],
            sources.context_for(row, route.contact, sender=sender, at=at),
            rules=build_link_rules(
                row.campaign_version,
                sender=sender,
                name=row.campaign.name if row.campaign else "",
            ),
        )
    except RenderAborted as stop:
        # The template itself asked not to be sent to this person.
        return Unrendered("failed", "template_error", str(stop)[:500])
    except RenderError as error:
        state = "skipped" if error.skip else "failed"
        return Unrendered(state, str(error.reason), str(error)[:500])
    return Rendered(push, locale)


def choose_contents(row: Delivery) -> dict[str, PushContent]:
    """The template's, with the texts that an API call said itself over them."""
    said = row.said_by_api
    if row.template_version_id is None:
        return {} if said is None else {"": build_content(said.texts)}
    contents = load_contents(row.template_version_id, row.channel)
    if said is None or not said.texts:
        return contents
    return {
        locale: override_content(content, said.texts)
        for locale, content in contents.items()
    }


def override_content(content: PushContent, texts: Mapping[str, Any]) -> PushContent:
    data = {**content.data, **texts.get("data", {})}
    return replace(content, **{**texts, "data": data})


@lru_cache(maxsize=1024)
def load_contents(
    version_id: int | None, channel: str, variant: str = ""
) -> dict[str, PushContent]:
    """Contents by locale, the default locale first. Versions are immutable."""
    rows = TemplateContent.objects.filter(
        version_id=version_id, channel=channel, variant=variant
    ).select_related("version__template")
    found = {row.locale: build_content(row.fields) for row in rows}
    default = rows[0].version.template.default_locale if rows else ""
    first = {default: found.pop(default)} if default in found else {}
    return first | found


def build_content(fields: Mapping[str, Any]) -> PushContent:
    """The stored fields of a push, as the renderer takes them."""
    return PushContent(
        title=fields.get("title", ""),
        body=fields.get("body", ""),
        image_url=fields.get("image_url", ""),
        link=fields.get("link", ""),
        sound=fields.get("sound", ""),
        channel_id=fields.get("channel_id", ""),
        badge=fields.get("badge", ""),
        buttons=tuple(
            Button(title=button["title"], link=button.get("link", ""))
            for button in fields.get("buttons", ())
        ),
        data=fields.get("data", {}),
        on_missing=fields.get("on_missing", "fail"),
    )


def build_link_rules(
    version: CampaignVersion | None, *, sender: Sender, name: str
) -> LinkRules:
    """UTM parameters of the campaign, schemes of the brand."""
    utm: dict[str, str] = {}
    if version is not None:
        named = {
            "utm_source": version.utm_source,
            "utm_medium": version.utm_medium,
            "utm_campaign": version.utm_campaign or slugify(name),
            "utm_content": version.utm_content,
        }
        utm = {key: value for key, value in named.items() if value}
    return LinkRules(
        utm=utm,
        app_schemes=tuple(sender.brand.app_schemes),
        allow_loopback_images=sender.kind == Sender.Kind.SANDBOX,
    )


def build_contexts(
    deliveries: Sequence[Delivery], *, sender: Sender, at: datetime
) -> list[dict[str, Any]]:
    """What the templates of these rows would see; three queries."""
    sources = _Sources(deliveries)
    return [
        sources.context_for(
            row, row.contact, sender=sender, at=at, items=sources.shelf.load
        )
        for row in deliveries
    ]


class _Sources:
    """What a batch's templates may look up, read once for all rows."""

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self._events = _read_trigger_events(deliveries)
        self._said = [row.said_by_api.data for row in deliveries if row.said_by_api]
        self._orders = _read_last_orders(deliveries)
        self.shelf = Shelf(self._list_likely_items())

    def _list_likely_items(self) -> set[Key]:
        """What these messages are about: their events' item, their last order.

        Only a first guess, so that most batches ask the catalogs once.
        """
        lines = [line for lines in self._orders.values() for line in lines[:NEAR_LINES]]
        about = [event.properties for event in self._events.values()] + self._said
        keys = (find_item(facts) for facts in [*about, *lines])
        return {key for key in keys if key}

    def context_for(
        self,
        row: Delivery,
        contact: Contact,
        *,
        sender: Sender,
        at: datetime,
        items: ItemLoader | None = None,
    ) -> dict[str, Any]:
        return build_context(
            customer=describe_customer(contact),
            event=self._describe_trigger(row),
            campaign={
                "id": row.campaign_id,
                "name": row.campaign.name if row.campaign else "",
            },
            items=items or self.shelf.find,
            brand={
                "name": sender.brand.name,
                "website": sender.brand.website,
                "timezone": sender.brand.time_zone,
            },
            last_items=self._orders.get(row.contact_id, ()),
            now=at,
        )

    def _describe_trigger(self, row: Delivery) -> dict[str, Any] | None:
        """The event that started it, or the data of the API call."""
        said = row.said_by_api
        if said is not None:
            return {"name": said.data.get("name"), "properties": said.data}
        event = self._events.get(row.trigger_event_id)
        if event is None:
            return None
        return {"name": event.name, "properties": event.properties}


def describe_customer(contact: Contact) -> dict[str, Any]:
    """A contact as templates see one."""
    return {
        "id": contact.external_id or str(contact.uuid),
        "external_id": contact.external_id,
        "email": contact.email,
        "phone": contact.phone,
        "locale": contact.locale,
        "timezone": contact.time_zone,
        "traits": contact.known_traits,
    }


def _read_trigger_events(deliveries: Sequence[Delivery]) -> dict[Any, Event]:
    keys = {
        row.trigger_event_id: row.trigger_event_at
        for row in deliveries
        if row.trigger_event_id
    }
    if not keys:
        return {}
    # The times let PostgreSQL look into the right partitions only.
    rows = Event.objects.filter(id__in=list(keys), occurred_at__in=set(keys.values()))
    return {row.pk: row for row in rows}


def _read_last_orders(
    deliveries: Sequence[Delivery],
) -> dict[int, list[dict[str, Any]]]:
    """Lines of each person's newest order, for messages that name one."""
    return Event.objects.last_lines(
        [row.contact_id for row in deliveries], name="Order Completed"
    )


def describe_text(push: RenderedPush) -> dict[str, Any]:
    """What the person is shown, as it is kept and shown to staff."""
    return {
        "title": push.title,
        "body": push.body,
        "image_url": push.image_url,
        "link": push.link,
        "buttons": [
            {"title": button.title, "link": button.link} for button in push.buttons
        ],
    }


def build_push(
    row: Delivery, rendered: RenderedPush, *, device: Device, brand: str, ttl_s: int
) -> OutgoingPush:
    """One POST's worth: the text, and what the app needs to report on it."""
    return OutgoingPush(
        delivery_id=str(row.pk),
        token=device.token,
        fid=device.fid,
        platform=device.platform,
        title=rendered.title,
        body=rendered.body,
        image_url=rendered.image_url,
        link=rendered.link,
        sound=rendered.sound,
        buttons=tuple(
            PushButton(id=str(index), title=button.title, link=button.link)
            for index, button in enumerate(rendered.buttons)
        ),
        data={
            **rendered.data,
            "app_name": brand,
            "apropos_token": sign_report(row.pk),
            "apropos_url": f"{settings.SITE_URL}/v1/push/{row.pk}/events",
        },
        ttl_s=ttl_s,
        analytics_label=f"campaign-{row.campaign_id}" if row.campaign_id else "",
        high_priority=row.purpose_class == "transactional",
        channel_id=rendered.channel_id,
        badge=rendered.badge,
    )
