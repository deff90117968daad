"""Outcomes: what came of messages, left behind for the segments that ask for it.

A row of `PendingEvent` in the transaction that records the outcome, as a change of
consent leaves one. Nobody asks for most outcomes: then nothing is written. A segment
that does is told of many people at once, and looks at those alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from django.db import connection

from crm.models.ids import UUID7_SQL
from segments.diff import lock_segment
from segments.traits import find_awaited

# Each is dated by a column of its own, `sent_at` and so on.
OUTCOMES: Final = ("sent", "delivered", "opened", "clicked", "dismissed", "converted")
# What segments are told, as the name of an event.
NAMES: Final = {outcome: f"$message {outcome}" for outcome in OUTCOMES}

LEAVE = f"""
INSERT INTO crm_pendingevent
    (event_id, occurred_at, contact_id, name, attempts, last_error, created_at)
SELECT {UUID7_SQL}, clock_timestamp(), w.contact_id, w.name, 0, '', clock_timestamp()
FROM (SELECT DISTINCT * FROM unnest(%s::bigint[], %s::text[]) AS w (contact_id, name)
      ORDER BY 1, 2) w
"""


def hold_new_segments() -> None:
    """Let no new segment look before this transaction ends.

    Locks are taken in the order contacts, this, messages; so call it in between.
    """
    lock_segment(0, shared=True)


def leave_outcomes(reached: Mapping[str, Collection[int]]) -> int:
    """Tell segments and stages who came to which outcome; how many rows it took.

    `reached` maps an outcome to contacts. Inside the transaction that records it,
    after `hold_new_segments`.
    """
    told = {NAMES[outcome]: ids for outcome, ids in reached.items() if ids}
    if not told:
        return 0
    awaited = find_awaited(told)
    rows = [(pk, name) for name in awaited for pk in told[name]]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(LEAVE, [[pk for pk, _ in rows], [name for _, name in rows]])
        return cursor.rowcount
