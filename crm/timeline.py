"""The story of one contact: its events and what other apps add, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.urls import reverse
from django.utils import timezone

from crm.events.words import describe_properties
from crm.models import Contact, Event, Merge
from crm.ports.timeline import Entry, Panel, timeline_providers

PAGE_SIZE = 30
# Longer texts are cut: a page stays light whatever was sent.
MAX_DETAIL = 200
# Devices and identifiers shown on the page.
MAX_ROWS = 20


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some entries, and the time before which the next page begins."""

    entries: Sequence[Entry]
    next_before: datetime | None


def read_timeline(contact: Contact, *, before: datetime | None) -> TimelinePage:
    """The entries before this moment; None asks for the newest.

    Pages are cut between moments, never inside one, so that entries of equal time
    are neither lost nor shown twice.
    """
    edge = before or datetime.max.replace(tzinfo=UTC)
    found = list(read_events(contact, before=edge, limit=PAGE_SIZE + 1))
    for provider in timeline_providers():
        found += provider.entries(contact.pk, before=edge, limit=PAGE_SIZE + 1)
    found.sort(key=lambda entry: entry.at, reverse=True)
    if len(found) <= PAGE_SIZE:
        return TimelinePage(found, None)
    cut = found[PAGE_SIZE].at
    page = [entry for entry in found[:PAGE_SIZE] if entry.at > cut]
    # A page full of one moment is shown as far as it was read.
    page = page or [entry for entry in found if entry.at == cut]
    return TimelinePage(page, page[-1].at)


def read_events(contact: Contact, *, before: datetime, limit: int) -> list[Entry]:
    rows = Event.objects.for_contact(contact).filter(occurred_at__lt=before)
    return [describe_event(event) for event in rows[:limit]]


def describe_event(event: Event) -> Entry:
    money = f"{event.value.normalize():f} {event.currency}" if event.value else ""
    said = describe_properties(event.properties)
    detail = " · ".join(filter(None, (money.strip(), said)))
    return Entry(
        at=event.occurred_at, kind="event", title=event.name, detail=shorten(detail)
    )


def shorten(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL]}…"


def read_panels(contact: Contact) -> list[Panel]:
    """What is known beside the timeline: ours first, then the other apps'."""
    panels = [read_device_panel(contact), read_identifier_panel(contact)]
    merges = read_merge_panel(contact)
    panels += [merges] if merges.rows else []
    for provider in timeline_providers():
        panels += provider.panels(contact.pk)
    return panels


def read_device_panel(contact: Contact) -> Panel:
    now = timezone.now()
    rows = []
    for device in contact.devices.last_used_first()[:MAX_ROWS]:
        reach = "reachable" if device.is_reachable(now) else device.get_state_display()
        if device.permission == device.Permission.DENIED:
            reach = "notifications off"
        seen = f"seen {device.last_seen_at:%d %b %Y}"
        rows.append((str(device), f"{reach}, {seen}", ""))
    return Panel("Devices", tuple(rows), "No device: a push can not reach this person.")


def read_identifier_panel(contact: Contact) -> Panel:
    rows = contact.identifiers.order_by("kind", "pk")[:MAX_ROWS]
    return Panel(
        "Identifiers",
        tuple((row.get_kind_display(), shorten(row.value), "") for row in rows),
        "Nothing leads to this contact.",
    )


def read_merge_panel(contact: Contact) -> Panel:
    """Who became this contact, with the page that can undo it."""
    taken = Merge.objects.standing().filter(target=contact).newest_first()[:MAX_ROWS]
    rows = [
        (
            row.source.display_name,
            f"{row.made_at:%d %b %Y}",
            reverse("admin:crm_merge_change", args=[row.pk]),
        )
        for row in taken
    ]
    return Panel("Merged into this contact", tuple(rows))
