"""The story: what happens to an event, and what happens on every tick.

`process_events` takes accepted events in hand; `tick` does what time alone makes
due. Both may be called by anyone, any number of times, at once: what they find is
in rows, and each row is taken once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import DatabaseError, connection, transaction

from crm.clock import read_clock
from crm.models import Contact, PendingEvent
from crm.purchases.keeping import keep_purchases
from notifications.analytics.conversions import match_conversions
from notifications.campaigns.runs import finish_done_campaigns, start_due_runs
from notifications.campaigns.triggers import (
    Happened,
    plan_event_triggers,
    plan_segment_entries,
)
from notifications.delivery.expire import expire_overdue
from notifications.delivery.outcomes import NAMES
from notifications.delivery.sweep import sweep_leases
from segments.traits import follow_events
from segments.waves import Change

BATCH = 500
LEASE_S = 60
STRIKES = 3

# Counted and committed before the work, so that an event that kills its worker is
# still counted; the lease gives it back after a minute.
# The rows are chosen in a CTE of their own: as a subquery of IN, PostgreSQL may run
# the choice once per row and lease more than the limit.
CLAIM = """
WITH next AS MATERIALIZED (
    SELECT id FROM crm_pendingevent
    WHERE quarantined_at IS NULL AND {which}
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE crm_pendingevent p
SET attempts = attempts + 1,
    lease_until = clock_timestamp() + make_interval(secs => %s)
FROM next WHERE p.id = next.id
RETURNING p.id
"""
FRESH = CLAIM.format(which="attempts = 0")
# Taken in hand before and never put down: alone, after the others, so that the one
# that breaks its batch or its worker is the only one to be set aside.
SUSPECT = CLAIM.format(which="attempts > 0")


@dataclass(frozen=True, slots=True)
class Processed:
    """What one batch of events brought about."""

    events: int = 0
    membership_changes: int = 0
    conversions: int = 0
    planned: int = 0
    # The budget ended before the events did.
    is_cut_short: bool = False


def process_pending(*, budget_s: float) -> Processed:
    """Batches of `process_events` until none is pending or the time is spent."""
    ends = time.monotonic() + budget_s
    total = Processed()
    while (done := process_events()).events:
        total = _add(total, done)
        if time.monotonic() >= ends:
            return replace(total, is_cut_short=True)
    return total


def process_events(*, limit: int = BATCH) -> Processed:
    """Apply the effects of the next pending events, each exactly once.

    1. Lease a batch and count the attempt, in a transaction of its own.
    2. In one transaction: lock the contacts in id order, then the rows; keep what
       they say of purchases, move computed traits and memberships, match
       conversions, plan what they trigger; delete the rows.
    3. A batch that fails is halved until the one at fault stands alone; three
       strikes quarantine it, and staff see it.
    """
    ids = _claim_events(FRESH, limit) or _claim_events(SUSPECT, 1)
    if not ids:
        return Processed()
    _quarantine_repeaters(ids)
    return _process_or_halve(ids)


def _claim_events(statement: str, limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [limit, LEASE_S])
        return sorted(row[0] for row in cursor.fetchall())


def _process_or_halve(ids: Sequence[int]) -> Processed:
    try:
        return _process_batch(ids)
    except DatabaseError as error:
        if len(ids) == 1:
            _note_strike(ids[0], error)
            return Processed()
        middle = len(ids) // 2
        first, second = (
            _process_or_halve(part) for part in (ids[:middle], ids[middle:])
        )
        return _add(first, second)


def _process_batch(ids: Sequence[int]) -> Processed:
    with transaction.atomic():
        rows = _lock_rows(ids)
        if not rows:
            return Processed()
        # First: rules ask what a contact's orders come to.
        keep_purchases(rows)
        changes = _touch_segments(rows)
        events = [
            Happened(row.event_id, row.occurred_at, row.contact_id, row.name)
            for row in rows
        ]
        result = Processed(
            events=len(rows),
            membership_changes=len(changes),
            conversions=match_conversions(events),
            planned=plan_event_triggers(events) + plan_segment_entries(),
        )
        PendingEvent.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return result


def _lock_rows(ids: Sequence[int]) -> list[PendingEvent]:
    """The contacts in id order, then their rows: the order of a merge or an erasure.

    A row that a merge moved before we had its contact goes back, for the next batch.
    """
    mine = PendingEvent.objects.filter(pk__in=ids, quarantined_at=None)
    contact_ids = sorted(set(mine.values_list("contact_id", flat=True)))
    locked = [contact.pk for contact in Contact.objects.lock_in_order(contact_ids)]
    mine.exclude(contact_id__in=locked).update(lease_until=None)
    rows = mine.filter(contact_id__in=locked).order_by("pk")
    return list(rows.select_for_update(skip_locked=True))


def _touch_segments(rows: Sequence[PendingEvent]) -> list[Change]:
    """Compute traits and re-judge memberships: by the names of events, or all where a
    profile moved.

    Names with a `$` stand for changes of profile, device or identity, but for outcomes
    of messages, which segments mention by name.
    """
    at = read_clock()
    told = frozenset(NAMES.values())
    profiles = {
        row.contact_id
        for row in rows
        if row.name.startswith("$") and row.name not in told
    }
    did: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        if row.contact_id not in profiles:
            did[row.name].add(row.contact_id)
    return follow_events(did, profiles=profiles, at=at)


def _quarantine_repeaters(ids: Sequence[int]) -> None:
    """Set aside events that were taken in hand before and never put down."""
    PendingEvent.objects.filter(pk__in=ids, attempts__gt=STRIKES).update(
        quarantined_at=read_clock(), last_error="Stopped a worker 3 times."
    )


def _note_strike(pending_id: int, error: DatabaseError) -> None:
    row = PendingEvent.objects.filter(pk=pending_id)
    row.update(last_error=str(error)[:2_000], lease_until=None)
    row.filter(attempts__gte=STRIKES).update(quarantined_at=read_clock())


def _add(first: Processed, second: Processed) -> Processed:
    return Processed(
        events=first.events + second.events,
        membership_changes=first.membership_changes + second.membership_changes,
        conversions=first.conversions + second.conversions,
        planned=first.planned + second.planned,
    )


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one tick found to do."""

    planned: int
    finished: int
    swept: int


def tick() -> Ticked:
    """Everything that time alone makes due, in the order that data takes.

    1. Runs whose time has come are planned.
    2. Memberships that changed by themselves start their campaigns.
    3. Leases of workers that died are given back; what waited too long is expired.
    4. Campaigns with nothing left to send are finished.
    """
    planned = start_due_runs()
    with transaction.atomic():
        planned += plan_segment_entries()
    sweep = sweep_leases()
    swept = sweep.returned + sweep.unknown + expire_overdue()
    return Ticked(planned, finish_done_campaigns(), swept)
