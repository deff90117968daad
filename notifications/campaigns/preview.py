"""Preview: a campaign's message as one person would get it, by the sending code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crm.clock import read_clock
from crm.models import Contact, Device, Event
from crm.models.ids import make_uuid7
from notifications.campaigns.audience import select_people
from notifications.delivery.messages import (
    Rendered,
    Unrendered,
    render_deliveries,
)
from notifications.delivery.route import Route
from notifications.models import Campaign, CampaignVersion, Delivery, Sender

# A sample is drawn from so many, not from an audience of a million.
LATELY = 2_000


def preview_campaign(campaign: Campaign, contact: Contact) -> Rendered | Unrendered:
    """The finished text, or why there is none; writes nothing."""
    version = campaign.current_version
    sender = find_sender(version)
    if version is None or version.template_version_id is None or sender is None:
        return Unrendered("failed", "template_error", "Write the message first.")
    at = read_clock()
    event = find_trigger_events(version, [contact]).get(contact.pk)
    row = draft_delivery(version, contact, sender=sender, at=at, event=event)
    # Whether they can be reached is another question than what they would read.
    device = (
        contact.devices.last_used_first().first()
        or Device(contact=contact, platform=Device.Platform.ANDROID, token="preview")  # noqa: S106
    )
    route = Route(contact, (device,), contact.locale or device.locale)
    texts = render_deliveries([row], {row.pk: route}, sender=sender, at=at)
    return texts[row.pk]


def draft_delivery(
    version: CampaignVersion,
    contact: Contact,
    *,
    sender: Sender,
    at: datetime,
    event: Event | None = None,
) -> Delivery:
    """A row as planning would write it, in memory only."""
    return Delivery(
        id=make_uuid7(),
        source_kind=Delivery.SourceKind.TEST,
        source_id=version.campaign_id,
        contact=contact,
        campaign=version.campaign,
        campaign_version=version,
        template_version_id=version.template_version_id,
        sender=sender,
        channel=version.channel,
        trigger_event_id=event.pk if event else None,
        trigger_event_at=event.occurred_at if event else None,
        due_at=at,
        expires_at=at,
    )


def find_sender(version: CampaignVersion | None) -> Sender | None:
    if version is None:
        return None
    return version.sender or Sender.objects.default_for(version.channel)


def find_trigger_events(
    version: CampaignVersion, contacts: Sequence[Contact]
) -> dict[int, Event]:
    """By contact, the newest event that would have started it; one query."""
    if version.kind != CampaignVersion.Kind.EVENT or not contacts:
        return {}
    rows = Event.objects.filter(
        contact__in=[contact.pk for contact in contacts], name=version.trigger_event
    )
    newest = rows.order_by("contact_id", "-occurred_at").distinct("contact_id")
    return {event.contact_id: event for event in newest}


def sample_audience(version: CampaignVersion, *, limit: int) -> list[Contact]:
    """Some of the people it is for: who did what triggers it lately, else members.

    The same ones each time, as long as the audience stays as it is.
    """
    people, params = select_people(version)
    if version.kind == CampaignVersion.Kind.EVENT:
        lately = (
            "SELECT contact_id FROM (SELECT contact_id FROM crm_event WHERE name = %s "
            f"ORDER BY occurred_at DESC LIMIT {LATELY}) e"
        )
        found = _read_people(
            f"{lately} WHERE contact_id IN ({people})",
            [version.trigger_event, *params],
            limit=limit,
        )
        if found:
            return found
    return _read_people(f"{people} LIMIT {LATELY}", params, limit=limit)


def _read_people(people: str, params: Sequence[object], *, limit: int) -> list[Contact]:
    return list(
        Contact.objects.raw(
            "SELECT c.* FROM crm_contact c JOIN (SELECT DISTINCT contact_id FROM "
            f"({people}) p) s ON s.contact_id = c.id "
            "WHERE c.canonical_id IS NULL AND c.erased_at IS NULL "
            "ORDER BY hashint8(c.id) LIMIT %s",
            [*params, limit],
        )
    )
