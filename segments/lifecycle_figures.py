"""The lifecycle in figures: people per stage, moves per week, and a preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection

from segments.deadline import TooSlow, stop_after
from segments.lifecycle import load_stages, rank_stages
from segments.models import Lifecycle
from segments.rules.stages import Stage

PREVIEW_TIMEOUT_MS: Final = 5_000
COUNT_WANTED: Final = """
SELECT coalesce((%s::text[])[r.rank], ''), count(*) FROM crm_contact c
LEFT JOIN ({ranked}) r ON r.contact_id = c.id
WHERE c.canonical_id IS NULL AND c.erased_at IS NULL GROUP BY 1
"""
COUNT_HELD: Final = "SELECT stage, count(*) FROM segments_contactstage GROUP BY 1"
COUNT_MOVES: Final = """
SELECT date_trunc('week', at AT TIME ZONE 'UTC')::date AS week, was, now, count(*)
FROM segments_stagechange WHERE at > %s AND was <> ''
GROUP BY 1, 2, 3 ORDER BY week DESC, count(*) DESC, was, now
"""


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many people are, or would be, in one stage."""

    label: str
    text: str
    size: int
    share_pct: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    words: str
    count: int


@dataclass(frozen=True, slots=True)
class Week:
    """Whole weeks in UTC, from Monday on."""

    begins: date
    moves: Sequence[Move]

    @property
    def total(self) -> int:
        return sum(move.count for move in self.moves)


def preview_stages(stages: Sequence[Stage], *, at: datetime) -> list[StageCount]:
    """Who would be where, before it is saved; nothing where time ran out."""
    ranked, keys = rank_stages(stages, at=at), [one.key for one in stages]
    statement = COUNT_WANTED.format(ranked=ranked.text)
    try:
        with stop_after(PREVIEW_TIMEOUT_MS), connection.cursor() as cursor:
            cursor.execute(statement, (keys, *ranked.params))
            return _tell_counts(stages, dict(cursor.fetchall()))
    except TooSlow:
        return []


def count_people() -> list[StageCount]:
    """Who is where now; empty where nobody was judged."""
    version = Lifecycle.objects.current()
    with connection.cursor() as cursor:
        cursor.execute(COUNT_HELD)
        sizes = dict(cursor.fetchall())
    if version is None or not sizes:
        return []
    return _tell_counts(load_stages(version), sizes)


def _tell_counts(stages: Sequence[Stage], sizes: dict[str, int]) -> list[StageCount]:
    known, total = {stage.key: stage for stage in stages}, sum(sizes.values())
    rows = [(one.label, one.describe(), sizes.get(one.key, 0)) for one in stages]
    # Of an older version, or found by no rule.
    rows += [
        (key or "None", "No stage of now.", size)
        for key, size in sizes.items()
        if key not in known
    ]
    return [
        StageCount(label, text, size, round(100 * size / total) if total else 0)
        for label, text, size in rows
    ]


def count_moves(*, now: datetime, weeks: int) -> list[Week]:
    """From stage to stage, the latest week first; who came new is no move."""
    found: dict[date, list[Move]] = {}
    with connection.cursor() as cursor:
        cursor.execute(COUNT_MOVES, [now - timedelta(weeks=weeks)])
        for week, was, after, count in cursor.fetchall():
            move = Move(f"{was} → {after or 'none'}", count)
            found.setdefault(week, []).append(move)
    return [Week(week, moves) for week, moves in found.items()]
