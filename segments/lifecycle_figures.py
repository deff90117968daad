"""The lifecycle in figures: people per stage, now and by day, moves, and a preview.

Questions that grow with the number of people stop after `LIMIT_MS` with TooSlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection

from segments.deadline import TooSlow, stop_after
from segments.lifecycle import load_stages, rank_stages
from segments.models import Lifecycle
from segments.rules.stages import Stage

LIMIT_MS: Final = 5_000
# One a stage, told apart by most eyes in light and in dark; the last is of no stage.
COLOURS: Final = (
    *("#4f7df3", "#0ea5a4", "#e8871e", "#a855f7", "#dc4c64", "#65a30d"),
    *("#0284c7", "#ca8a04", "#db2777", "#14b8a6", "#7c3aed", "#b45309"),
)
NO_COLOUR: Final = "#94a3b8"
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
COUNT_DAYS: Final = """
SELECT (at AT TIME ZONE 'UTC')::date, was, now, count(*)
FROM segments_stagechange WHERE at >= %s GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many people are, or would be, in one stage; `key` is '' for none."""

    key: str
    label: str
    text: str
    size: int
    share_pct: int
    colour: str


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage by day: its people at the end of each."""

    label: str
    colour: str
    sizes: Sequence[int]


@dataclass(frozen=True, slots=True)
class StageDays:
    """Whole days in UTC, the oldest first, and a line for each stage of now."""

    on: Sequence[date]
    lines: Sequence[StageLine]


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
        with stop_after(LIMIT_MS), connection.cursor() as cursor:
            cursor.execute(statement, (keys, *ranked.params))
            return _tell_counts(stages, dict(cursor.fetchall()))
    except TooSlow:
        return []


def count_people() -> list[StageCount]:
    """Who is where now; empty where nobody was judged."""
    version, sizes = Lifecycle.objects.current(), _count_held()
    if version is None or not sizes:
        return []
    return _tell_counts(load_stages(version), sizes)


def _count_held() -> dict[str, int]:
    with stop_after(LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(COUNT_HELD)
        return dict(cursor.fetchall())


def _tell_counts(stages: Sequence[Stage], sizes: dict[str, int]) -> list[StageCount]:
    known, total = {stage.key for stage in stages}, sum(sizes.values())
    rows = [
        (one.key, one.label, one.describe(), colour)
        for one, colour in zip(stages, COLOURS, strict=False)
    ]
    # Of an older version, or found by no rule.
    rows += [
        (key, key or "In none", "No stage of now.", NO_COLOUR)
        for key in sizes
        if key not in known
    ]
    found = []
    for key, label, text, colour in rows:
        size = sizes.get(key, 0)
        share_pct = round(100 * size / total) if total else 0
        found.append(StageCount(key, label, text, size, share_pct, colour))
    return found


def read_stage_days(*, at: datetime, days: int) -> StageDays | None:
    """Each day since then, or since there are stages; None where nobody was judged.

    Reckoned back from now by the moves: people who were merged or erased since stand
    in no day's figures but by what is left of their history.
    """
    version, sizes = Lifecycle.objects.current(), _count_held()
    if version is None or not sizes:
        return None
    born = Lifecycle.objects.earliest("number").created_at.astimezone(UTC).date()
    today = at.astimezone(UTC).date()
    first = min(max(today - timedelta(days=days - 1), born), today)
    on = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    moves = _count_day_moves(first)
    stages = load_stages(version)
    found: dict[str, list[int]] = {one.key: [] for one in stages}
    for day in reversed(on):
        for key, line in found.items():
            line.append(max(sizes.get(key, 0), 0))
        for was, now, count in moves.get(day, ()):
            sizes[now] = sizes.get(now, 0) - count
            sizes[was] = sizes.get(was, 0) + count
    return StageDays(
        on,
        [
            StageLine(one.label, colour, found[one.key][::-1])
            for one, colour in zip(stages, COLOURS, strict=False)
        ],
    )


def _count_day_moves(first: date) -> dict[date, list[tuple[str, str, int]]]:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    found: dict[date, list[tuple[str, str, int]]] = {}
    with stop_after(LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(COUNT_DAYS, [start])
        for day, *move in cursor.fetchall():
            found.setdefault(day, []).append(tuple(move))
    return found


def count_moves(*, now: datetime, weeks: int) -> list[Week]:
    """From stage to stage, the latest week first; who came new is no move."""
    version = Lifecycle.objects.current()
    stages = load_stages(version) if version else ()
    labels = {"": "none"} | {one.key: one.label for one in stages}
    found: dict[date, list[Move]] = {}
    with stop_after(LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(COUNT_MOVES, [now - timedelta(weeks=weeks)])
        for week, was, after, count in cursor.fetchall():
            words = f"{labels.get(was, was)} → {labels.get(after, after)}"
            found.setdefault(week, []).append(Move(words, count))
    return [Week(week, moves) for week, moves in found.items()]
