"""The one door for facts of purchases: `keep_purchases`, called with events in hand."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from django.db import connection

from crm.models import OrderEntry, SubscriptionEntry
from crm.models.purchase import Entry
from crm.purchases.books import (
    BOOKS,
    ORDERS,
    SUBSCRIPTIONS,
    Book,
    Pair,
    refold,
)
from crm.purchases.subscription_words import (
    SUBSCRIPTION_EVENTS,
    read_subscription_word,
)
from crm.purchases.words import ORDER_EVENTS, OrderWord, read_order_word

EVENTS = ORDER_EVENTS.keys() | SUBSCRIPTION_EVENTS.keys()
# Of one order or subscription, all of which are read to fold its row; a program that
# tells the same one again and again must not slow everybody else's events.
MAX_SAID: Final = 5_000
READ_EVENTS = """
SELECT e.id, e.occurred_at, e.contact_id, e.name, e.message_id, e.origin_id, e.source,
    e.properties::text
FROM unnest(%s::uuid[], %s::timestamptz[]) AS w (id, occurred_at)
JOIN crm_event e ON e.id = w.id AND e.occurred_at = w.occurred_at
ORDER BY e.occurred_at, e.id
"""


class Happened(Protocol):
    """An event in hand: enough to find it in its partition."""

    @property
    def event_id(self) -> uuid.UUID: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Told:
    """An event that says something of a purchase."""

    event_id: uuid.UUID
    at: datetime
    contact_id: int
    name: str
    message_id: str
    origin_id: int | None
    source: str
    properties: dict[str, Any]


def keep_purchases(happened: Sequence[Happened]) -> int:
    """Keep what these events say of orders and subscriptions; answers how many
    entries are new.

    The caller holds the locks of the contacts. Run twice it changes nothing: an event
    has one entry, and a message that is known of an order says nothing again.
    """
    mine = [one for one in happened if one.name in EVENTS]
    return keep_told(read_told(mine)) if mine else 0


def keep_told(told: Sequence[Told]) -> int:
    """The same of events that were read already, under the same locks."""
    subscribed = [one for one in told if one.name in SUBSCRIPTION_EVENTS]
    return keep_entries(ORDERS, list(list_order_entries(told))) + keep_entries(
        SUBSCRIPTIONS, [make_subscription_entry(one) for one in subscribed]
    )


def read_told(happened: Sequence[Happened]) -> list[Told]:
    with connection.cursor() as cursor:
        cursor.execute(
            READ_EVENTS,
            [
                [one.event_id for one in happened],
                [one.occurred_at for one in happened],
            ],
        )
        rows = cursor.fetchall()
    return [Told(*[*row[:-1], read_properties(row[-1])]) for row in rows]


def read_properties(text: str) -> dict[str, Any]:
    said = json.loads(text)
    return said if isinstance(said, dict) else {}


def list_order_entries(told: Sequence[Told]) -> Iterator[OrderEntry]:
    for one in told:
        if one.name not in ORDER_EVENTS:
            continue
        word = read_order_word(one.name, one.properties, message_id=one.message_id)
        if word is not None:
            yield make_order_entry(one, word)


def make_order_entry(one: Told, word: OrderWord) -> OrderEntry:
    return OrderEntry(
        contact_id=one.contact_id,
        number=word.number,
        at=one.at,
        event_id=one.event_id,
        message_id=one.message_id,
        origin_id=one.origin_id,
        kind=word.kind,
        amount=word.amount,
        currency=word.currency,
        refund_id=word.refund_id,
        lines=list(word.lines),
    )


def make_subscription_entry(one: Told) -> SubscriptionEntry:
    word = read_subscription_word(one.name, one.properties, source=one.source)
    return SubscriptionEntry(
        contact_id=one.contact_id,
        at=one.at,
        event_id=one.event_id,
        message_id=one.message_id,
        origin_id=one.origin_id,
        **asdict(word),
    )


def keep_entries(book: Book, entries: Sequence[Entry]) -> int:
    """Add what is not known yet, as far as there is room, and fold the rows that it is
    about; four queries."""
    if not entries:
        return 0
    fresh = find_fresh(book, entries)
    book.entries.objects.bulk_create(fresh, ignore_conflicts=True)
    refold(book, list_pairs(fresh))
    return len(fresh)


def find_fresh(book: Book, entries: Sequence[Entry]) -> list[Entry]:
    """Each message once, where it is new and its pair holds fewer than MAX_SAID; one
    query, that reads no history."""
    said = book.entries.objects.of_pairs(list_pairs(entries)).summarise(
        {one.message_id for one in entries}
    )
    counts = {pair: count for pair, (count, _) in said.items()}
    known = {(pair, one) for pair, (_, found) in said.items() for one in found}
    fresh = []
    for one in entries:
        pair = (one.contact_id, one.number)
        if (pair, one.message_id) in known or counts.get(pair, 0) >= MAX_SAID:
            continue
        known.add((pair, one.message_id))
        counts[pair] = counts.get(pair, 0) + 1
        fresh.append(one)
    return fresh


def list_pairs(entries: Sequence[Entry]) -> list[Pair]:
    return sorted({(one.contact_id, one.number) for one in entries})


def forget_events(event_ids: Sequence[uuid.UUID]) -> None:
    """These events were taken back; so is what they said of purchases. The caller
    holds the locks of their contacts."""
    for book in BOOKS:
        entries = book.entries.objects.filter(event_id__in=list(event_ids))
        pairs = list_pairs(list(entries))
        entries.delete()
        refold(book, pairs)
