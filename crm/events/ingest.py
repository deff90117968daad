"""The one door for events: `record_events`, called alike by every wire."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import OperationalError, connection, transaction
from psycopg import errors

from crm.events.amounts import read_currency, read_value
from crm.events.devices import register_devices
from crm.events.identity import attach_contacts
from crm.events.schema import Item, Rejection
from crm.events.traits import TraitWord, apply_traits
from crm.events.vocabulary import remember_names
from crm.ports.effects import Effect, effect_providers

# Names of pending rows that stand for a call that is no event.
PROFILE_NAMES = {"identify": "$identify", "alias": "$alias"}
# How often a batch is tried again when PostgreSQL broke a deadlock with it.
MAX_TRIES = 3
CLAIM_KEYS = """
INSERT INTO crm_messagekey (message_id, seen_at)
SELECT message_id, clock_timestamp() FROM unnest(%s::text[]) AS k(message_id)
ON CONFLICT DO NOTHING RETURNING message_id
"""
# One document, one statement: the events and a pending row for each call.
APPEND_EVENTS = """
WITH said AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        id uuid, contact_id bigint, name text, occurred_at timestamptz,
        message_id text, properties jsonb, context jsonb, value numeric,
        currency text, clock_skewed boolean, is_event boolean)
), appended AS (
    INSERT INTO crm_event (id, contact_id, name, occurred_at, received_at, message_id,
        properties, context, value, currency, source, clock_skewed)
    SELECT id, contact_id, name, occurred_at, %(received_at)s, message_id,
        properties, context, value, currency, %(source)s, clock_skewed
    FROM said WHERE is_event
)
INSERT INTO crm_pendingevent (
    event_id, occurred_at, contact_id, name, attempts, last_error, created_at)
SELECT id, occurred_at, contact_id, name, 0, '', clock_timestamp() FROM said
"""
# known_since: the earliest event, even a back-dated one, makes the profile older.
TOUCH_CONTACTS = """
UPDATE crm_contact c SET
    known_since = least(c.known_since, v.first_at),
    last_active_at = greatest(c.last_active_at, v.last_at)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])
    AS v(id, first_at, last_at)
WHERE c.id = v.id AND (c.known_since > v.first_at
    OR v.last_at > coalesce(c.last_active_at, '-infinity'))
"""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a batch; rejections say which item and why."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejection] = ()


class EventRow(msgspec.Struct, frozen=True):
    """One pending row, and one event where `is_event`."""

    id: str
    contact_id: int
    name: str
    occurred_at: datetime
    message_id: str
    properties: dict[str, Any]
    context: dict[str, Any]
    value: str | None
    currency: str
    clock_skewed: bool
    is_event: bool


def record_events(
    items: Sequence[Item], *, received_at: datetime, source: str
) -> IngestResult:
    """Take in parsed calls: all of it in one transaction, or nothing.

    1. claim the message ids: a repeat, now or within 7 days, has no effect
    2. find, make, link and merge contacts, and lock them in id order
    3. append the events and one pending row per call, in one statement
    4. profile: traits, age, last activity, devices, vocabulary
    5. what must take effect at once (`crm.ports.effects`)

    The caller rings the bell after the commit.
    """
    for attempt in range(1, MAX_TRIES + 1):
        try:
            return take_in(items, received_at=received_at, source=source)
        except OperationalError as error:
            broken = isinstance(error.__cause__, errors.DeadlockDetected)
            # Inside a caller's transaction there is nothing left to try again.
            if not broken or attempt == MAX_TRIES or connection.in_atomic_block:
                raise
    raise AssertionError("unreachable")


@transaction.atomic
def take_in(
    items: Sequence[Item], *, received_at: datetime, source: str
) -> IngestResult:
    fresh = claim_messages(items)
    result = IngestResult(accepted=len(fresh), duplicates=len(items) - len(fresh))
    if not fresh:
        return result
    contact_of = attach_contacts(fresh, received_at=received_at)
    append_events(fresh, contact_of, received_at=received_at, source=source)
    apply_traits(
        [
            TraitWord(contact_of[item.index], item.traits, item.occurred_at)
            for item in fresh
            if item.traits
        ]
    )
    touch_contacts(fresh, contact_of)
    register_devices(fresh, contact_of)
    remember_names([item for item in fresh if item.name], at=received_at)
    apply_effects(fresh, contact_of, source=source)
    return result


def claim_messages(items: Sequence[Item]) -> list[Item]:
    """Items whose message id is new. Sorted, so that two batches that share ids
    wait for each other instead of deadlocking; the second then sees repeats."""
    first: dict[str, Item] = {}
    for item in items:
        if item.message_id:
            first.setdefault(item.message_id, item)
    if first:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM_KEYS, [sorted(first)])
            won = {message_id for (message_id,) in cursor.fetchall()}
    return [
        item
        for item in items
        if not item.message_id
        or (first[item.message_id] is item and item.message_id in won)
    ]


def append_events(
    items: Sequence[Item],
    contact_of: Mapping[int, int],
    *,
    received_at: datetime,
    source: str,
) -> None:
    ids = make_event_ids(len(items))
    rows = [
        EventRow(
            id=event_id,
            contact_id=contact_of[item.index],
            name=item.name or PROFILE_NAMES[item.kind],
            occurred_at=item.occurred_at,
            message_id=item.message_id or event_id,
            properties=item.properties,
            context=item.context,
            value=read_value(item.properties),
            currency=read_currency(item.properties),
            clock_skewed=item.clock_skewed,
            is_event=bool(item.name),
        )
        for item, event_id in zip(items, ids, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            APPEND_EVENTS,
            {
                "rows": msgspec.json.encode(rows).decode(),
                "received_at": received_at,
                "source": source,
            },
        )


def make_event_ids(count: int) -> list[str]:
    """UUIDs version 7 of this moment, as text; one call for a whole batch."""
    now = f"{time.time_ns() // 1_000_000:012x}"
    head = f"{now[:8]}-{now[8:]}-7"
    noise = os.urandom(10 * count).hex()
    return [
        f"{head}{noise[at : at + 3]}-{'89ab'[int(noise[at + 3], 16) & 3]}"
        f"{noise[at + 4 : at + 7]}-{noise[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    ]


def touch_contacts(items: Sequence[Item], contact_of: Mapping[int, int]) -> None:
    """Age of the profile from every call, last activity from events only."""
    first: dict[int, datetime] = {}
    last: dict[int, datetime | None] = {}
    for item in items:
        contact, at = contact_of[item.index], item.occurred_at
        if contact not in first:
            first[contact], last[contact] = at, at if item.name else None
            continue
        first[contact] = min(at, first[contact])
        if item.name:
            last[contact] = max(at, last[contact] or at)
    with connection.cursor() as cursor:
        cursor.execute(
            TOUCH_CONTACTS, [list(first), list(first.values()), list(last.values())]
        )


def apply_effects(
    items: Sequence[Item], contact_of: Mapping[int, int], *, source: str
) -> None:
    for provider in effect_providers():
        effects = [
            Effect(
                contact_id=contact_of[item.index],
                occurred_at=item.occurred_at,
                name=item.name,
                properties=item.properties,
                traits=item.traits,
                source=source,
            )
            for item in items
            if item.name in provider.event_names
            or not provider.trait_names.isdisjoint(item.traits)
        ]
        if effects:
            provider.apply(effects)
