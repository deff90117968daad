"""Ticks of the segments; each safe to run twice, or not at all for a while."""

from __future__ import annotations

from celery import shared_task

from crm.clock import read_clock
from segments import membership

# Rows a tick looks at before it leaves the rest to the next one.
BATCHES_PER_TICK = 10
BATCH = 2_000


@shared_task(soft_time_limit=120, time_limit=150)
def expire_memberships() -> int:
    """Entries and exits that time alone brings, oldest first."""
    moved = 0
    for _ in range(BATCHES_PER_TICK):
        expiry = membership.expire_memberships(read_clock(), limit=BATCH)
        moved += len(expiry.changes)
        if expiry.looked < BATCH:
            break
    membership.count_sizes(read_clock())
    return moved


@shared_task(soft_time_limit=1_800, time_limit=1_860)
def refresh_segments() -> int:
    """Build what was made or edited; one worker at a time."""
    with membership.hold_build_lock() as held:
        return membership.refresh_waiting_segments(read_clock()) if held else 0
