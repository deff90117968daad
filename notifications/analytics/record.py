"""Record: what devices report about a message, each report once.

A report is known by (delivery, kind, client id) and may come late, twice, or out
of order: the first time of each rung is the earliest that was ever told.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Least

from crm.events.ingest import record_events
from crm.events.schema import Item
from crm.models import Contact, Identifier
from notifications.analytics.conversions import match_delivery
from notifications.models import Delivery, Engagement, RenderedMessage

# The text is kept this long, and no goal window is longer.
REPORT_LIFE_DAYS = 90
# One person's devices have no more to say of one message; a word that leaked must
# not fill the road with events.
MAX_REPORTS = 100

# What each report proves: a click opens, and whatever was touched had arrived.
RUNGS: dict[str, tuple[str, ...]] = {
    Engagement.Kind.DELIVERED: ("delivered_at",),
    Engagement.Kind.OPENED: ("delivered_at", "opened_at"),
    Engagement.Kind.CLICKED: ("delivered_at", "opened_at", "clicked_at"),
    Engagement.Kind.DISMISSED: ("delivered_at", "dismissed_at"),
}

# What a person did becomes an event again; what a machine did does not.
EVENT_NAMES: dict[str, str] = {
    Engagement.Kind.OPENED: "Push Opened",
    Engagement.Kind.CLICKED: "Push Clicked",
    Engagement.Kind.DISMISSED: "Push Dismissed",
}

# Rows that a report proves sent: nobody knew, or a further POST was to be made or
# is being made. Their lease is taken, so that no worker sends them once more.
PROVED_SENT = Q(state__in=[Delivery.State.UNKNOWN, Delivery.State.SENDING]) | Q(
    state__in=[Delivery.State.PENDING, Delivery.State.CLAIMED], maybe_sent=True
)


class ReportTooLateError(ValueError):
    """The message is older than its text and its goals are kept."""


class TooManyReportsError(ValueError):
    """This message was reported on more often than anybody can tap."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing a device says; `at` is its own clock."""

    kind: str
    client_id: str
    at: datetime
    button: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one report; `new` is False for a repeat."""

    kind: str
    new: bool
    at: datetime
    converted: bool = False


def record_engagement(
    delivery_id: uuid.UUID,
    *,
    kind: str,
    client_id: str,
    at: datetime,
    received_at: datetime,
    button: str = "",
) -> Recorded:
    """Take in one report; see `record_engagements`."""
    report = Report(kind, client_id, at, button)
    return record_engagements(delivery_id, [report], received_at=received_at)[0]


@transaction.atomic
def record_engagements(
    delivery_id: uuid.UUID, reports: Sequence[Report], *, received_at: datetime
) -> list[Recorded]:
    """Take in the reports of one message, all or none; a repeat changes nothing.

    1. lock the contact, then the delivery: reports queue up behind each other
    2. keep each report once; the unique key tells a repeat
    3. write the rungs it proves, and that the message was sent after all
    4. write it back into the road as an event, and look for conversions again

    Raises Delivery.DoesNotExist where no such message ever left, or its person was
    erased; ReportTooLateError after 90 days; TooManyReportsError for the 101st. The
    caller rings the bell.
    """
    delivery = _lock_delivery(delivery_id)
    if delivery.gated_at is None or delivery.contact.erased_at:
        raise Delivery.DoesNotExist
    if received_at - delivery.gated_at > timedelta(days=REPORT_LIFE_DAYS):
        raise ReportTooLateError
    if delivery.engagements.count() >= MAX_REPORTS:
        raise TooManyReportsError
    return [
        _record_one(delivery, report, received_at=received_at) for report in reports
    ]


def _lock_delivery(delivery_id: uuid.UUID) -> Delivery:
    """The delivery and its contact, locked in the order everybody locks them."""
    rows = Delivery.objects.select_related("contact", "campaign")
    while True:
        contact_id = rows.get(pk=delivery_id).contact_id
        Contact.objects.lock_in_order([contact_id])
        delivery = rows.select_for_update(of=("self",)).get(pk=delivery_id)
        # A merge that was quicker moved the delivery: lock the other contact.
        if delivery.contact_id == contact_id:
            return delivery


def _record_one(
    delivery: Delivery, report: Report, *, received_at: datetime
) -> Recorded:
    # Never ahead of our clock, never before the message left.
    at = max(min(report.at, received_at), delivery.gated_at or received_at)
    row, new = Engagement.objects.get_or_create(
        delivery=delivery,
        kind=report.kind,
        client_id=report.client_id,
        defaults={
            "contact_id": delivery.contact_id,
            "at": at,
            "received_at": received_at,
            "button": report.button,
        },
    )
    if not new:
        return Recorded(report.kind, False, row.at)
    _write_rungs(delivery, report.kind, at)
    if report.kind in EVENT_NAMES:
        item = _build_event(delivery, row)
        record_events([item], received_at=received_at, source="push")
    return Recorded(report.kind, True, at, match_delivery(delivery.pk))


def _write_rungs(delivery: Delivery, kind: str, at: datetime) -> None:
    mine = Delivery.objects.filter(pk=delivery.pk)
    # PostgreSQL's LEAST passes over nulls.
    mine.update(**{rung: Least(F(rung), Value(at)) for rung in RUNGS[kind]})
    mine.filter(PROVED_SENT).update(
        state=Delivery.State.SENT,
        reason="",
        detail="",
        sent_at=Coalesce(F("sent_at"), F("gated_at")),
        finished_at=Coalesce(F("finished_at"), F("gated_at")),
        lease=None,
        lease_until=None,
    )


def _build_event(delivery: Delivery, row: Engagement) -> Item:
    user_id, anonymous_id = _find_name(delivery.contact)
    properties: dict[str, Any] = {
        "delivery_id": str(delivery.pk),
        "campaign_id": delivery.campaign_id,
        "campaign": delivery.campaign.name if delivery.campaign else "",
        "button": row.button,
        "link": _find_link(delivery, row),
    }
    return Item(
        index=0,
        kind="track",
        name=EVENT_NAMES[row.kind],
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id="",
        message_id=build_message_id(delivery.pk, row.kind, row.client_id),
        occurred_at=row.at,
        clock_skewed=False,
        properties=properties,
        traits={},
        context={},
    )


def build_message_id(delivery_id: uuid.UUID, kind: str, client_id: str) -> str:
    """The same for every repeat; long client ids are cut to a hash, to fit."""
    plain = f"{delivery_id}:{kind}:{client_id}"
    if len(plain) <= 100:
        return plain
    digest = hashlib.sha256(client_id.encode()).hexdigest()[:40]
    return f"{delivery_id}:{kind}:{digest}"


def _find_name(contact: Contact) -> tuple[str, str]:
    """(external id, anonymous id), one of them empty: what leads to this contact.

    Somebody known by e-mail alone gets a name of their own.
    """
    kinds = (Identifier.Kind.EXTERNAL_ID, Identifier.Kind.ANONYMOUS_ID)
    named = contact.identifiers.filter(kind__in=kinds).order_by("-kind", "pk").first()
    if named is None:
        named = Identifier.objects.create(
            contact=contact,
            kind=Identifier.Kind.ANONYMOUS_ID,
            value=f"contact:{contact.uuid}",
        )
    if named.kind == Identifier.Kind.EXTERNAL_ID:
        return named.value, ""
    return "", named.value


def _find_link(delivery: Delivery, row: Engagement) -> str:
    """Where the tap led: the button's own link, else the message's."""
    if row.kind == Engagement.Kind.DISMISSED:
        return ""
    shown = (
        RenderedMessage.objects.filter(
            delivery_id=delivery.pk, created_at__gte=delivery.created_at
        )
        .order_by("-created_at")
        .first()
    )
    if shown is None:
        return ""
    buttons = shown.fields.get("buttons") or []
    index = int(row.button) if row.button.isascii() and row.button.isdigit() else -1
    chosen = buttons[index] if 0 <= index < len(buttons) else {}
    return str(chosen.get("link") or shown.fields.get("link") or "")
