"""Ticks of the segments; each safe to run twice, or not at all for a while."""

from __future__ import annotations

import time

from celery import shared_task
from django.conf import settings

from crm.bell import ring
from crm.clock import read_clock
from segments import membership, traits
from segments.diff import hold_build_lock

# Rows a tick looks at before it leaves the rest to the next one.
BATCHES_PER_TICK = 10
BATCH = 2_000
# A task ends well before the broker would think it lost.
BUDGET_S = 40.0


@shared_task(soft_time_limit=120, time_limit=150)
def expire_memberships() -> int:
    """Traits, entries and exits that time alone moves, oldest first."""
    moved = 0
    for _ in range(BATCHES_PER_TICK):
        looked, changes = traits.expire_traits(read_clock(), limit=BATCH)
        expiry = membership.expire_memberships(read_clock(), limit=BATCH)
        moved += len(changes) + len(expiry.changes)
        if max(looked, expiry.looked) < BATCH:
            break
    membership.count_sizes(read_clock())
    return moved


@shared_task(soft_time_limit=1_800, time_limit=1_860)
def refresh_segments() -> int:
    """Build what was made or edited; one worker at a time."""
    with hold_build_lock() as held:
        return membership.refresh_waiting_segments(read_clock()) if held else 0


@shared_task(soft_time_limit=110, time_limit=120)
def build_traits() -> None:
    """Build computed traits piece by piece; ring for what is left."""
    ends = time.monotonic() + BUDGET_S
    traits.recheck_lookups(read_clock())
    while traits.build_next_piece(read_clock()):
        if time.monotonic() >= ends:
            ring(settings.TRAIT_BELL_TASK)
            break
