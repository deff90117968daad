"""What time alone says of subscriptions: events, each told once.

`due_at` of the row is the outbox. A crash, a repeat and a second worker tell nobody
twice: rows, events and the place reached are written in one transaction, and the
message id is made of contact, subscription and moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from msgspec.structs import replace

from crm.clock import read_clock
from crm.events.addresses import name_people
from crm.events.bulk import leave_pending
from crm.events.ingest import record_events
from crm.events.schema import Item
from crm.events.sources import BY_TIME
from crm.models import Contact, PendingEvent, Subscription, SubscriptionEntry
from crm.models.ids import make_uuid7
from crm.purchases.books import SUBSCRIPTIONS, read_entries, read_leads
from crm.purchases.keeping import keep_entries
from crm.purchases.moments import Moment, find_next, list_moments
from crm.purchases.subscription_words import (
    LAPSED,
    SUBSCRIPTION_EVENTS,
    TRIAL_ENDED,
)

PIECE: Final = 500
# A moment that nobody told for so long is passed over: message ids are known as long.
# What ended by it has ended all the same.
CATCH_UP: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Told:
    """What one call did; `is_done` where nothing more was due."""

    events: int = 0
    is_done: bool = False


@transaction.atomic
def tell_due(*, limit: int = PIECE) -> Told:
    """Tell what is due of the next subscriptions.

    1. Find them, but for those whose contact has words that wait to be processed: a
       trial may have been converted meanwhile. Lock their contacts in id order.
    2. Leave those of whom words came in until then.
    3. Record an event for each moment that came, dated by it, and note how far it got.
    """
    at = read_clock()
    due = Subscription.objects.due(at)
    free = due.exclude(Exists(list_waiting().filter(contact=OuterRef("contact"))))
    picked = list(free.values_list("contact_id", flat=True)[:limit])
    if not picked:
        return Told(is_done=True)
    ids = set(picked)
    Contact.objects.lock_in_order(sorted(ids))
    waiting = list_waiting().filter(contact__in=ids)
    ids.difference_update(waiting.values_list("contact_id", flat=True))
    rows = list(due.filter(contact__in=ids)[:limit])
    told = record_moments(rows, at=at) if rows else 0
    return Told(events=told, is_done=len(picked) < limit)


def list_waiting() -> QuerySet[PendingEvent]:
    """Words about subscriptions that are taken in, and not processed yet."""
    return PendingEvent.objects.filter(
        name__in=SUBSCRIPTION_EVENTS, quarantined_at=None
    )


def record_moments(rows: Sequence[Subscription], *, at: datetime) -> int:
    pairs = [(row.contact_id, row.number) for row in rows]
    said = read_entries(SUBSCRIPTIONS, pairs)
    names = name_people([row.contact_id for row in rows])
    items: list[Item] = []
    passed: list[SubscriptionEntry] = []
    for row in rows:
        moments = list_moments(said[row.contact_id, row.number], read_leads())
        since = max(row.told_until or at - CATCH_UP, at - CATCH_UP)
        due = [one for one in moments if since < one.at <= at]
        if row.contact_id in names:
            items += [make_item(row, one, names[row.contact_id]) for one in due]
        passed += [make_end(row, one) for one in list_passed(row, moments, until=since)]
        row.told_until = max((one.at for one in due), default=since)
        row.due_at = find_next(moments, after=at)
    Subscription.objects.bulk_update(rows, ["told_until", "due_at"])
    keep_passed(passed, at=at)
    numbered = [replace(item, index=index) for index, item in enumerate(items)]
    if not numbered:
        return 0
    return record_events(numbered, received_at=at, source=BY_TIME).accepted


def list_passed(
    row: Subscription, moments: Sequence[Moment], *, until: datetime
) -> list[Moment]:
    """The ends that nobody is told of any more; they came nevertheless."""
    return [
        one
        for one in moments
        if one.at <= until and (row.told_until is None or one.at > row.told_until)
        if one.name in (TRIAL_ENDED, LAPSED)
    ]


def keep_passed(ends: Sequence[SubscriptionEntry], *, at: datetime) -> None:
    """Write them down; there is no event that would have the segments judged."""
    keep_entries(SUBSCRIPTIONS, ends)
    leave_pending(sorted({one.contact_id for one in ends}), at=at)


def make_end(row: Subscription, moment: Moment) -> SubscriptionEntry:
    """What the moment's event would have said; its id is of no event."""
    is_trial = moment.name == TRIAL_ENDED
    return SubscriptionEntry(
        contact_id=row.contact_id,
        number=row.number,
        at=moment.at,
        event_id=make_uuid7(),
        message_id=make_message_id(row, moment),
        kind=SUBSCRIPTION_EVENTS[moment.name],
        by_time=True,
        trial_ends_at=moment.ends_at if is_trial else None,
        renews_at=None if is_trial else moment.ends_at,
    )


def make_item(row: Subscription, moment: Moment, keys: tuple[str, str]) -> Item:
    user_id, anonymous_id = keys
    said: dict[str, Any] = {"subscription_id": row.number, "plan": row.plan}
    return Item(
        index=0,
        kind="track",
        name=moment.name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id="",
        message_id=make_message_id(row, moment),
        occurred_at=moment.at,
        clock_skewed=False,
        properties={key: value for key, value in said.items() if value}
        | moment.properties,
        traits={},
        context={},
    )


def make_message_id(row: Subscription, moment: Moment) -> str:
    """The same for the same moment of the same subscription; an id may be long."""
    parts = (row.contact_id, row.number, moment.name, moment.at.isoformat())
    digest = sha256(repr(parts).encode()).hexdigest()
    return f"{BY_TIME}:{digest[:40]}"
