"""Lines of the check list as staff read them: the field's own label, and its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from notifications.content.checks import Check
from notifications.models import Campaign

# A check's path is a column or a key of the text; staff know the label.
PLACES = {
    "title": "Title",
    "body": "Text",
    "image_url": "Image",
    "link": "Link",
    "sound": "Sound",
    "channel_id": "Android channel",
    "badge": "Badge",
    "buttons": "Buttons",
    "segment": "Who gets it",
    "send_at": "Send at",
    "goal_event": "Goal",
    "offer_ends_at": "Offer ends",
    "sender": "Sender",
    "locales": "Other languages",
}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """`url` leads to the field on the form; empty for who may not edit."""

    message: str
    place: str
    url: str


def describe_checks(
    campaign: Campaign, checks: Iterable[tuple[str, Check]], *, may_change: bool
) -> list[CheckLine]:
    edit = reverse("admin:notifications_campaign_change", args=[campaign.pk])
    template = campaign.current_version and campaign.current_version.template
    default = template.default_locale if template else ""
    return [
        CheckLine(
            check.message,
            _name_place(check, "" if locale == default else locale),
            f"{edit}#{_find_field(check.path, locale, default)}" if may_change else "",
        )
        for locale, check in checks
    ]


def name_path(path: str) -> str:
    """`buttons.0.link` is the second field of the first button."""
    head, _, rest = path.partition(".")
    if head == "buttons" and rest:
        number, _, part = rest.partition(".")
        return f"Button {int(number) + 1}" + (", link" if part == "link" else "")
    if head == "data" and rest:
        return f"Data {rest}"
    return PLACES.get(path, path)


def _name_place(check: Check, locale: str) -> str:
    words = [name_path(check.path)]
    if check.line and check.line > 1:
        words.append(f"line {check.line}")
    if locale:
        words.append(locale)
    return ", ".join(word for word in words if word)


def _find_field(path: str, locale: str, default: str) -> str:
    if path == "locales" or (locale and locale != default):
        return "translations"
    head, _, rest = path.partition(".")
    if head == "buttons" and rest:
        number, _, part = rest.partition(".")
        return f"id_button_{int(number) + 1}_{part}"
    return f"id_{head}"
