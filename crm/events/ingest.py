"""The one door for events: `record_events`, called alike by every wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction

from crm.events.amounts import read_currency, read_value
from crm.events.commerce import use_our_name
from crm.events.devices import register_devices
from crm.events.envelope import Rejection
from crm.events.fixes import apply_fixes
from crm.events.identity import (
    Attached,
    IdentityRaceLost,
    Owners,
    attach_contacts,
    list_keys,
)
from crm.events.retrying import retry_transaction
from crm.events.schema import Item
from crm.events.standing import read_fixes
from crm.events.statements import open_cursor
from crm.events.tombstones import leave_out_erased, list_suppressed
from crm.events.traits import TraitWord, apply_traits
from crm.events.vocabulary import remember_names
from crm.models.ids import make_uuid7s
from crm.ports.effects import Effect, effect_providers

# Names of pending rows that stand for a call that is no event.
PROFILE_NAMES = {"identify": "$identify", "alias": "$alias"}
# One trip for two questions: which messages are new (rows of kind ''), and to whom
# the identifiers lead (with a reserved contact id where they lead nowhere).
OPEN_BATCH = """
WITH claimed AS (
    INSERT INTO crm_messagekey (message_id, seen_at)
    SELECT message_id, clock_timestamp()
    FROM jsonb_array_elements_text(%s::jsonb) AS m(message_id)
    ON CONFLICT DO NOTHING RETURNING message_id
)
SELECT '', message_id, NULL::bigint, NULL, NULL::bigint, NULL::bigint FROM claimed
UNION ALL
SELECT w.kind, w.value, k.id, coalesce(k.external_id, ''),
    CASE WHEN k.id IS NULL
        THEN nextval(pg_get_serial_sequence('crm_contact', 'id')) END,
    i.origin_id
FROM unnest(%s::text[], %s::text[]) AS w(kind, value)
LEFT JOIN crm_identifier i ON i.kind = w.kind AND i.value = w.value
LEFT JOIN crm_contact c ON c.id = i.contact_id
LEFT JOIN crm_contact k ON k.id = coalesce(c.canonical_id, c.id)
"""
# One document, one statement: the events and a pending row for each call.
APPEND_EVENTS = """
WITH said AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(
        id uuid, contact_id bigint, name text, occurred_at timestamptz,
        message_id text, properties jsonb, context jsonb, value numeric,
        currency text, clock_skewed boolean, is_event boolean, origin_id bigint)
), appended AS (
    INSERT INTO crm_event (id, contact_id, name, occurred_at, received_at, message_id,
        properties, context, value, currency, source, clock_skewed, origin_id)
    SELECT id, contact_id, name, occurred_at, %(received_at)s, message_id,
        properties, context, value, currency, %(source)s, clock_skewed, origin_id
    FROM said WHERE is_event
)
INSERT INTO crm_pendingevent (
    event_id, occurred_at, contact_id, name, attempts, last_error, created_at)
SELECT id, occurred_at, contact_id, name, 0, '', clock_timestamp() FROM said
"""


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a batch; rejections say which item and why."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejection] = ()
    # Indexes of calls that would bring somebody back who was erased.
    suppressed: Sequence[int] = ()


class EventRow(msgspec.Struct, frozen=True, omit_defaults=True):
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
    # Left out where it is none, as nearly always.
    origin_id: int | None = None


def record_events(
    items: Sequence[Item], *, received_at: datetime, source: str
) -> IngestResult:
    """Take in parsed calls: all of it in one transaction, or nothing.

    0. our names for what shops call otherwise, and the fixes of data that stand;
       what they block is in the result, with its index
    1. claim the message ids: a repeat, now or within 7 days, has no effect
    2. leave out people who were erased; find, make, link and merge contacts, and
       lock them in id order
    3. append the events and one pending row per call, in one statement
    4. profile: traits, age, last activity, devices, vocabulary
    5. what must take effect at once (`crm.ports.effects`)

    The caller rings the bell after the commit.
    """
    named = [use_our_name(item) for item in items]
    kept, rejected = apply_fixes(named, read_fixes())
    result = retry_transaction(
        lambda: take_in(kept, received_at=received_at, source=source),
        also=(IdentityRaceLost,),
    )
    return replace(result, rejected=rejected) if rejected else result


@transaction.atomic
def take_in(
    items: Sequence[Item], *, received_at: datetime, source: str
) -> IngestResult:
    new, owners = open_batch(items)
    fresh = leave_out_erased(new, owners)
    result = IngestResult(
        accepted=len(fresh),
        duplicates=len(items) - len(new),
        suppressed=list_suppressed(new, fresh),
    )
    if not fresh:
        return result
    attached = attach_contacts(fresh, owners, received_at=received_at, source=source)
    contact_of = attached.contact_of
    append_events(fresh, attached, received_at=received_at, source=source)
    apply_traits(list(list_words(fresh, contact_of)))
    register_devices(fresh, contact_of, at=received_at)
    remember_names([item for item in fresh if item.name], at=received_at)
    apply_effects(fresh, contact_of, source=source)
    return result


def list_words(
    items: Iterable[Item], contact_of: Mapping[int, int]
) -> Iterator[TraitWord]:
    for item in items:
        contact, at = contact_of[item.index], item.occurred_at
        if item.traits:
            yield TraitWord(contact, item.traits, at)
        if item.traits_once:
            yield TraitWord(contact, item.traits_once, at, once=True)


def open_batch(items: Sequence[Item]) -> tuple[list[Item], Owners]:
    """Items whose message id is new, and who is known already.

    Ids are sorted, so that two batches that share some wait for each other instead
    of deadlocking; the second then sees repeats.
    """
    first: dict[str, Item] = {}
    for item in items:
        if item.message_id:
            first.setdefault(item.message_id, item)
    keys = sorted(list_keys(items))
    with open_cursor() as cursor:
        cursor.execute(
            OPEN_BATCH,
            [
                msgspec.json.encode(sorted(first)).decode(),
                [kind for kind, _ in keys],
                [value for _, value in keys],
            ],
        )
        rows = cursor.fetchall()
    won = {value for kind, value, *_ in rows if not kind}
    fresh = [
        item
        for item in items
        if not item.message_id
        or (first[item.message_id] is item and item.message_id in won)
    ]
    found = {(kind, value): (pk, ext) for kind, value, pk, ext, *_ in rows if pk}
    origins = {(kind, value): first for kind, value, *_, first in rows if first}
    return fresh, Owners(found, [new for *_, new, _ in rows if new], origins)


def append_events(
    items: Sequence[Item], attached: Attached, *, received_at: datetime, source: str
) -> None:
    ids = make_uuid7s(len(items))
    rows = [
        EventRow(
            id=event_id,
            contact_id=attached.contact_of[item.index],
            name=item.name or PROFILE_NAMES[item.kind],
            occurred_at=item.occurred_at,
            message_id=item.message_id or event_id,
            properties=item.properties,
            context=item.context,
            value=read_value(item.properties),
            currency=read_currency(item.properties.get("currency")),
            clock_skewed=item.clock_skewed,
            is_event=bool(item.name),
            origin_id=attached.origin_of.get(item.index),
        )
        for item, event_id in zip(items, ids, strict=True)
    ]
    with open_cursor() as cursor:
        cursor.execute(
            APPEND_EVENTS,
            {
                "rows": msgspec.json.encode(rows).decode(),
                "received_at": received_at,
                "source": source,
            },
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
