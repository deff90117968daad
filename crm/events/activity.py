"""When contacts were first and last heard of, written while they are locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from crm.events.schema import Item
from crm.events.sources import OURS
from crm.events.statements import open_cursor

# First and last moment of a contact in a batch; no last one where they did nothing.
Moments = Mapping[int, tuple[datetime, datetime | None]]

# known_since: the earliest event, even a back-dated one, makes the profile older.
LOCK_CONTACTS = """
WITH locked AS MATERIALIZED (
    SELECT id, external_id, canonical_id IS NULL AND erased_at IS NULL AS usable
    FROM crm_contact WHERE id = ANY(%(ids)s::bigint[])
    ORDER BY id FOR NO KEY UPDATE
), touched AS (
    UPDATE crm_contact c SET
        known_since = least(c.known_since, m.first_at),
        last_active_at = greatest(c.last_active_at, m.last_at)
    FROM unnest(%(ids)s::bigint[], %(first)s::timestamptz[], %(last)s::timestamptz[])
        AS m(id, first_at, last_at)
    JOIN locked ON locked.id = m.id
    WHERE c.id = m.id AND (m.first_at < c.known_since
        OR m.last_at > coalesce(c.last_active_at, '-infinity'))
)
SELECT id, external_id, usable FROM locked
"""
# From the timeline index; events that outlived their keeping say nothing any more.
RECOUNT = """
UPDATE crm_contact SET last_active_at = coalesce(
    (SELECT max(occurred_at) FROM crm_event
     WHERE contact_id = %(id)s AND source <> ALL(%(ours)s)), %(otherwise)s)
WHERE id = %(id)s
"""


def measure_moments(
    items: Sequence[Item], contact_of: Mapping[int, int], *, source: str
) -> Moments:
    """Age of the profile from every call, last activity from what people did."""
    did = source not in OURS
    moments: dict[int, tuple[datetime, datetime | None]] = {}
    for item in items:
        contact, at = contact_of[item.index], item.occurred_at
        first, last = moments.get(contact, (at, None))
        if item.name and did:
            last = max(at, last) if last else at
        moments[contact] = (min(at, first), last)
    return moments


def lock_contacts(
    ids: Iterable[int], moments: Moments
) -> dict[int, tuple[str | None, bool]]:
    """Lock in id order, the one order everybody locks contacts in, and date them.

    Answers id → (external id, whether it is still neither merged nor erased).
    """
    ordered = sorted(ids)
    if not ordered:
        return {}
    silent = (None, None)
    with open_cursor() as cursor:
        cursor.execute(
            LOCK_CONTACTS,
            {
                "ids": ordered,
                "first": [moments.get(pk, silent)[0] for pk in ordered],
                "last": [moments.get(pk, silent)[1] for pk in ordered],
            },
        )
        return {pk: (external, usable) for pk, external, usable in cursor.fetchall()}


def recount_activity(contact_id: int, *, otherwise: datetime | None) -> None:
    """Date the last activity by what the contact did, of the events that are theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            RECOUNT, {"id": contact_id, "otherwise": otherwise, "ours": list(OURS)}
        )
