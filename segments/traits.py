"""Computed traits and the segments that ask for them: both follow an event together.

Traits move first, then the segments that mention an event or a trait that moved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from crm.computed.building import build_piece, recheck_lookups
from crm.computed.values import expire_computed, touch_computed
from segments.lifecycle import (
    build_stages,
    expire_stages,
    judge_moved,
    judge_stages,
    list_stage_events,
)
from segments.membership import touch_contacts, touch_performers
from segments.waves import Change

# Names of events in rules of live segments that mention one of these, and the newest
# version of the stages, whose rules are kept in memory.
AWAITED: Final = """
SELECT ARRAY(
    SELECT DISTINCT unnest(v.event_names)
    FROM segments_segment s
    JOIN segments_segmentversion v ON v.id = s.current_version_id
    WHERE s.kind = 'dynamic' AND v.event_names && %s::text[]),
  (SELECT l.id FROM segments_lifecycle l ORDER BY l.number DESC LIMIT 1)
"""


def follow_events(
    did: Mapping[str, Collection[int]], *, profiles: Collection[int], at: datetime
) -> list[Change]:
    """Inside the caller's transaction, contacts locked: what events brought about.

    `did` maps an event name to those who performed it; `profiles` are contacts whose
    profile, device or identity changed, whom every segment judges.
    """
    moved = touch_computed(did, profiles=profiles, at=at)
    everybody = sorted(set(profiles).union(*did.values()))
    moved |= judge_stages(everybody, at=at, reason=word_names(did))
    changes = touch_contacts(profiles, at=at) if profiles else []
    known = set(profiles)
    traits = {key: set(ids) - known for key, ids in moved.items()}
    return changes + touch_performers(did, at=at, traits=traits)


def find_awaited(names: Collection[str]) -> frozenset[str]:
    """Those event names that a segment or a stage asks for; one query.

    For what happens in bulk and moves few rules. The caller holds `lock_segment(0)`:
    a segment made meanwhile is built after, and sees what nobody asked for until then.
    """
    wanted = list(names)
    with connection.cursor() as cursor:
        cursor.execute(AWAITED, (wanted,))
        named, lifecycle_id = cursor.fetchone()
    return frozenset({*named, *list_stage_events(lifecycle_id)}.intersection(wanted))


def word_names(names: Iterable[str]) -> str:
    """Why somebody was judged, for the history."""
    shown = sorted(names)
    if not shown:
        return "profile changed"
    more = " and more" if len(shown) > 3 else ""
    named = ", ".join(f"“{name.removeprefix('$')}”" for name in shown[:3])
    return f"after {named}{more}"


def expire_traits(at: datetime, *, limit: int = 2_000) -> tuple[int, list[Change]]:
    """What time alone changes in traits, and so in segments; with how many it asked.

    Two transactions: each locks its own contacts in id order, and both together would
    be in none.
    """
    with transaction.atomic():
        looked, moved = expire_computed(at, limit=limit)
        moved |= judge_moved(moved, at=at)
        changes = touch_performers({}, at=at, traits=moved)
    with transaction.atomic():
        stages, entered = expire_stages(at, limit=limit)
        changes += touch_performers({}, at=at, traits=entered)
    return max(looked, stages), changes


def build_next_piece(at: datetime) -> bool:
    """One piece of a trait or of stages being built; whether there was one."""
    with transaction.atomic():
        piece = build_piece(at=at)
        moved = piece.moved | judge_moved(piece.moved, at=at)
        touch_performers({}, at=at, traits=moved)
        if piece.trait is not None:
            return True
    with transaction.atomic():
        found, moved = build_stages(at)
        # Staff said anew what a stage is: nobody did anything to get a message for.
        touch_performers({}, at=at, traits=moved, handled=True)
        return found


__all__ = [
    "build_next_piece",
    "expire_traits",
    "find_awaited",
    "follow_events",
    "recheck_lookups",
]
