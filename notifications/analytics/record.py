"""Record: what devices report about a message, each report once.

A report is known by (delivery, kind, client id) and may come late, twice, or out
of order: the first time of each rung is the earliest that was ever told.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Least

from crm.events.addresses import name_person
from crm.events.ingest import record_events
from crm.events.schema import Item
from crm.models import Contact
from notifications.analytics.conversions import match_delivery
from notifications.delivery.outcomes import hold_new_segments, leave_outcomes
from notifications.models import Delivery, Engagement, RenderedMessage
from notifications.models.delivery import DeliveryQuerySet

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
    2. tell what is new from what was told before
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
    known = {(row.kind, row.client_id): row for row in delivery.engagements.all()}
    recorded: list[Recorded] = []
    fresh: list[Engagement] = []
    for report in reports:
        key = (report.kind, report.client_id)
        if is_new := key not in known:
            known[key] = _build_engagement(delivery, report, received_at=received_at)
            fresh.append(known[key])
        recorded.append(Recorded(report.kind, is_new, known[key].at))
    if len(known) > MAX_REPORTS and fresh:
        raise TooManyReportsError
    _apply_reports(delivery, fresh, received_at=received_at)
    return recorded


def _lock_delivery(delivery_id: uuid.UUID) -> Delivery:
    """The delivery and its contact, locked in the order everybody locks them."""
    rows = Delivery.objects.select_related("contact", "campaign", "campaign_version")
    owner = Delivery.objects.values_list("contact_id", flat=True)
    while True:
        contact_id = owner.get(pk=delivery_id)
        Contact.objects.lock_in_order([contact_id])
        hold_new_segments()
        delivery = rows.select_for_update(of=("self",)).get(pk=delivery_id)
        # A merge that was quicker moved the delivery: lock the other contact.
        if delivery.contact_id == contact_id:
            return delivery


def _build_engagement(
    delivery: Delivery, report: Report, *, received_at: datetime
) -> Engagement:
    return Engagement(
        delivery=delivery,
        contact_id=delivery.contact_id,
        kind=report.kind,
        client_id=report.client_id,
        # Never ahead of our clock, never before the message left.
        at=max(min(report.at, received_at), delivery.gated_at or received_at),
        received_at=received_at,
        button=report.button,
    )


def _apply_reports(
    delivery: Delivery, fresh: Sequence[Engagement], *, received_at: datetime
) -> None:
    """Write new reports and everything that follows from them."""
    if not fresh:
        return
    Engagement.objects.bulk_create(fresh)
    _write_rungs(delivery, fresh)
    deeds = [row for row in fresh if row.kind in EVENT_NAMES]
    if deeds:
        items = _build_events(delivery, deeds)
        record_events(items, received_at=received_at, source="push")
    version = delivery.campaign_version
    if version is not None and version.goal_event:
        match_delivery(delivery.pk)


def _write_rungs(delivery: Delivery, fresh: Sequence[Engagement]) -> None:
    """The earliest time of each rung, and that it was sent after all."""
    first: dict[str, datetime] = {}
    for row in fresh:
        for rung in RUNGS[row.kind]:
            first[rung] = min(row.at, first.get(rung, row.at))
    mine = Delivery.objects.filter(pk=delivery.pk)
    # PostgreSQL's LEAST passes over nulls.
    mine.update(**{rung: Least(F(rung), Value(at)) for rung, at in first.items()})
    contact = [delivery.contact_id]
    reached = {rung.removesuffix("_at"): contact for rung in first}
    if delivery.state != Delivery.State.SENT and _prove_sent(mine):
        reached["sent"] = contact
    leave_outcomes(reached)


def _prove_sent(mine: DeliveryQuerySet) -> int:
    """What nobody knew to be sent was, if this is such a row; how many."""
    return mine.filter(PROVED_SENT).update(
        state=Delivery.State.SENT,
        reason="",
        detail="",
        sent_at=Coalesce(F("sent_at"), F("gated_at")),
        finished_at=Coalesce(F("finished_at"), F("gated_at")),
        lease=None,
        lease_until=None,
    )


def _build_events(delivery: Delivery, rows: Sequence[Engagement]) -> list[Item]:
    user_id, anonymous_id = name_person(delivery.contact)
    text = _read_text(delivery)
    return [
        Item(
            index=index,
            kind="track",
            name=EVENT_NAMES[row.kind],
            user_id=user_id,
            anonymous_id=anonymous_id,
            previous_id="",
            message_id=build_message_id(delivery.pk, row.kind, row.client_id),
            occurred_at=row.at,
            clock_skewed=False,
            properties=_describe_deed(delivery, row, text),
            traits={},
            context={},
        )
        for index, row in enumerate(rows)
    ]


def _describe_deed(
    delivery: Delivery, row: Engagement, text: Mapping[str, Any]
) -> dict[str, Any]:
    dismissed = row.kind == Engagement.Kind.DISMISSED
    return {
        "delivery_id": str(delivery.pk),
        "campaign_id": delivery.campaign_id,
        "campaign": delivery.campaign.name if delivery.campaign else "",
        "button": row.button,
        "link": "" if dismissed else find_link(text, row.button),
    }


def build_message_id(delivery_id: uuid.UUID, kind: str, client_id: str) -> str:
    """The same for every repeat; long client ids are cut to a hash, to fit."""
    plain = f"{delivery_id}:{kind}:{client_id}"
    if len(plain) <= 100:
        return plain
    digest = hashlib.sha256(client_id.encode()).hexdigest()[:40]
    return f"{delivery_id}:{kind}:{digest}"


def _read_text(delivery: Delivery) -> Mapping[str, Any]:
    """What the person was shown last; nothing where it is no longer kept."""
    shown = RenderedMessage.objects.filter(
        delivery_id=delivery.pk, created_at__gte=delivery.created_at
    )
    newest = shown.order_by("-created_at").first()
    return newest.fields if newest else {}


def find_link(text: Mapping[str, Any], button: str) -> str:
    """Where a tap leads: the button's own link, else the message's."""
    buttons = text.get("buttons") or []
    index = int(button) if button.isascii() and button.isdigit() else -1
    chosen = buttons[index] if 0 <= index < len(buttons) else {}
    return str(chosen.get("link") or text.get("link") or "")
