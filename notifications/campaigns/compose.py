"""Compose: write a campaign's definition and its text as immutable versions.

Saving never changes a version; what is in flight keeps the one it began with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from crm.clock import read_clock
from crm.models import Brand
from crm.models.audit import record_audit
from notifications.campaigns.runs import check_times
from notifications.campaigns.triggers import check_filters
from notifications.content.checks import check_push
from notifications.content.liquid import check_template
from notifications.content.render import LinkRules
from notifications.content.tokens import translate_tokens
from notifications.delivery.messages import build_content
from notifications.models import (
    Campaign,
    CampaignVersion,
    Sender,
    Template,
    TemplateContent,
    TemplateVersion,
)
from notifications.models.channel import Channel, Origin, PurposeClass

# Fields of a push that hold Liquid.
LIQUID_FIELDS = ("title", "body", "image_url", "link", "sound", "channel_id", "badge")

# What others than the author change.
LIVE_COLUMNS = (
    "state",
    "current_version",
    "next_run_at",
    "launched_at",
    "paused_at",
    "paused_reason",
    "finished_at",
)

# Errors that hold at launch but not at save: a draft may be unfinished, and what
# only a render with a person's values can tell is not known yet.
UNFINISHED = ("no_body", "template_missing_value", "template_error", "too_long")


@dataclass(frozen=True, slots=True)
class Text:
    """The sources of one channel, locale and variant, as the author wrote them."""

    fields: Mapping[str, Any]
    channel: str = Channel.PUSH
    locale: str = "en"
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a campaign is: its name, who made it, its version's columns, its texts.

    `columns` are fields of CampaignVersion; empty `texts` keep those it has.
    """

    name: str
    columns: Mapping[str, Any]
    texts: tuple[Text, ...] = ()
    origin: str = Origin.MANUAL
    default_locale: str = "en"


def save_campaign(
    definition: Definition, *, by: Any, campaign: Campaign | None = None
) -> Campaign:
    """Create a draft, or give a campaign its next version; writes the audit row.

    Raises ValidationError with the field at fault; nothing is half saved.
    """
    with transaction.atomic():
        created = campaign is None
        campaign = campaign or Campaign(origin=definition.origin)
        if not created:
            _lock_live(campaign)
        campaign.name = definition.name
        campaign.full_clean(exclude=["current_version", "launched_by"])
        campaign.save(update_fields=None if created else ["name", "origin"])
        campaign.current_version = _add_version(campaign, definition, by=by)
        campaign.save(update_fields=["current_version"])
        record_audit(
            actor=by,
            action="created" if created else "edited",
            on=campaign,
            changes={"version": campaign.current_version.number},
        )
    return campaign


def _lock_live(campaign: Campaign) -> None:
    """Its state, clock and version as they are now: since it was read, staff may
    have stopped it, or a tick may have started it, and no edit undoes that."""
    campaign.refresh_from_db(
        fields=LIVE_COLUMNS, from_queryset=Campaign.objects.select_for_update()
    )
    if campaign.state in Campaign.FINAL:
        raise ValidationError(f"A {campaign.state} campaign cannot be edited.")


def _add_version(
    campaign: Campaign, definition: Definition, *, by: Any
) -> CampaignVersion:
    before = campaign.current_version
    columns = dict(definition.columns)
    if before is not None and campaign.state != Campaign.State.DRAFT:
        _refuse_new_kind(before, columns)
    version = CampaignVersion(campaign=campaign, created_by=as_user(by), **columns)
    version.number = before.number + 1 if before else 1
    if version.sender is None:
        version.sender = Sender.objects.default_for(version.channel)
    if definition.texts:
        version.template = save_template(
            before.template if before and before.template else None,
            name=unique_template_name(campaign, before),
            purpose_class=version.purpose_class,
            texts=definition.texts,
            default_locale=definition.default_locale,
            by=by,
        )
    elif version.template is None and before is not None:
        version.template = before.template
    if version.template is not None:
        version.template_version = version.template.current_version
    version.full_clean(exclude=["created_by"])
    at = read_clock()
    check_times(version, at=at)
    check_filters(version, at=at)
    version.save()
    return version


def _refuse_new_kind(before: CampaignVersion, columns: Mapping[str, Any]) -> None:
    if columns.get("kind", before.kind) != before.kind:
        raise ValidationError(
            {"kind": "What starts a campaign can be changed only while it is a draft."}
        )


def unique_template_name(campaign: Campaign, before: CampaignVersion | None) -> str:
    if before is not None and before.template is not None:
        return before.template.name
    stem = slugify(campaign.name)[:80] or "campaign"
    return f"{stem}-{campaign.pk}"


def save_template(
    template: Template | None,
    *,
    name: str,
    purpose_class: str = PurposeClass.PROMOTIONAL,
    texts: tuple[Text, ...],
    default_locale: str = "en",
    by: Any,
) -> Template:
    """Write the next version of a template, tokens translated, sources checked.

    Raises ValidationError naming the field and the line of each fault.
    """
    cleaned = [
        Text(
            clean_fields(text.fields, channel=text.channel),
            text.channel,
            text.locale,
            text.variant,
        )
        for text in texts
    ]
    with transaction.atomic():
        if template is None:
            template = Template(name=name)
        template.purpose_class = purpose_class
        template.default_locale = default_locale
        template.full_clean(exclude=["current_version"])
        template.save()
        last = template.versions.aggregate(last=Max("number"))["last"] or 0
        version = TemplateVersion.objects.create(
            template=template, number=last + 1, created_by=as_user(by)
        )
        TemplateContent.objects.bulk_create(
            TemplateContent(
                version=version,
                channel=text.channel,
                locale=text.locale,
                variant=text.variant,
                fields=text.fields,
            )
            for text in cleaned
        )
        template.current_version = version
        template.save(update_fields=["current_version"])
        record_audit(
            actor=by, action="edited", on=template, changes={"version": version.number}
        )
    return template


def clean_fields(
    fields: Mapping[str, Any], *, channel: str = Channel.PUSH
) -> dict[str, Any]:
    """Manual tokens become Liquid; what cannot run or be sent is refused by name."""
    faults: dict[str, list[str]] = {}
    cleaned = dict(fields)
    for name, source in _walk_sources(fields):
        problems = check_template(translate_tokens(source))
        if problems:
            faults[name] = [problem.message for problem in problems]
    if faults:
        raise ValidationError(faults)
    for name in LIQUID_FIELDS:
        if cleaned.get(name):
            cleaned[name] = translate_tokens(cleaned[name])
    cleaned["buttons"] = [
        {key: translate_tokens(value) for key, value in button.items()}
        for button in fields.get("buttons", ())
    ]
    cleaned["data"] = {
        key: translate_tokens(value) for key, value in fields.get("data", {}).items()
    }
    if channel == Channel.PUSH:
        _refuse_unsendable(cleaned)
    return cleaned


def _refuse_unsendable(fields: Mapping[str, Any]) -> None:
    """Reserved data keys, links and images that no phone may get."""
    schemes = Brand.objects.values_list("app_schemes", flat=True)
    rules = LinkRules(
        app_schemes=sorted({scheme for row in schemes for scheme in row}),
        allow_loopback_images=settings.SANDBOX,
    )
    faults: dict[str, list[str]] = {}
    for check in check_push(build_content(fields), rules=rules):
        if check.level == "error" and check.code not in UNFINISHED:
            # "buttons.0.link" of the checks is "buttons[0].link" of a form.
            path = re.sub(r"^buttons\.(\d+)\.", r"buttons[\1].", check.path)
            faults.setdefault(path, []).append(check.message)
    if faults:
        raise ValidationError(faults)


def _walk_sources(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(name, fields[name]) for name in LIQUID_FIELDS if fields.get(name)]
    for index, button in enumerate(fields.get("buttons", ())):
        found += [
            (f"buttons[{index}].{key}", value) for key, value in button.items() if value
        ]
    found += [(f"data.{key}", value) for key, value in fields.get("data", {}).items()]
    return found


def as_user(by: Any) -> Any:
    """The member of staff, or None where a rule or a key acted."""
    return by if hasattr(by, "get_username") else None
