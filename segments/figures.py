"""The figures of one segment: its size, its days, and what it shares with another.

All read member and change rows, by their indexes; each question stops after
`LIMIT_MS` with TooSlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from crm.models import Contact
from segments.deadline import stop_after
from segments.models import Membership, Segment

LIMIT_MS = 5_000
# Up to here a page counts; beyond it shows what was counted last.
EXACT_MAX = 1_000_000
SAMPLE_SIZE = 10
# A build that runs is never shown as further than this.
DONE_PCT_MAX = 95

COUNT = """
SELECT count(*) FROM (
  SELECT FROM segments_membership WHERE segment_id = %s LIMIT %s) m
"""
DAYS = """
SELECT (c.at AT TIME ZONE 'UTC')::date,
  count(*) FILTER (WHERE c.action = 'entered'),
  count(*) FILTER (WHERE c.action = 'left')
FROM segments_membershipchange c WHERE c.segment_id = %s AND c.at >= %s GROUP BY 1
"""
OVERLAP = """
SELECT (SELECT count(*) FROM segments_membership WHERE segment_id = %s),
  (SELECT count(*) FROM segments_membership WHERE segment_id = %s),
  (SELECT count(*) FROM segments_membership a JOIN segments_membership b
     ON b.contact_id = a.contact_id WHERE a.segment_id = %s AND b.segment_id = %s)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """`is_exact`: counted just now; else as of `counted_at`."""

    people: int
    is_exact: bool
    counted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One day in UTC: who came, who went, and how many there were at its end."""

    on: date
    entered: int
    left: int
    size: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """People in both, and in one of the two alone."""

    both: int
    only_first: int
    only_second: int

    @property
    def first(self) -> int:
        return self.both + self.only_first

    @property
    def either(self) -> int:
        return self.first + self.only_second


def count_size(segment: Segment) -> Size:
    """Exact up to a million; a larger one as the clock counted it last."""
    with stop_after(LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(COUNT, [segment.pk, EXACT_MAX + 1])
        people = cursor.fetchone()[0]
    if people <= EXACT_MAX:
        return Size(people, is_exact=True)
    return Size(max(segment.size, people), is_exact=False, counted_at=segment.sized_at)


def read_days(
    segment: Segment, *, size: int, at: datetime, days: int
) -> list[DayFigures]:
    """Each day since then, or since the segment was made; the oldest first.

    Reckoned back from `size`: people who were erased since are in no day, and people
    who were merged are there once.
    """
    today = at.astimezone(UTC).date()
    born = segment.created_at.astimezone(UTC).date()
    first = max(today - timedelta(days=days - 1), born)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    with stop_after(LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(DAYS, [segment.pk, start])
        moved = {on: (entered, left) for on, entered, left in cursor.fetchall()}
    found = []
    for back in range((today - first).days + 1):
        on = today - timedelta(days=back)
        entered, left = moved.get(on, (0, 0))
        found.append(DayFigures(on, entered, left, max(size, 0)))
        size -= entered - left
    return found[::-1]


def pick_sample(segment: Segment) -> Sequence[Contact]:
    """Some of the people: the newest contacts."""
    rows = Membership.objects.page_before(segment, "")[:SAMPLE_SIZE]
    return [row.contact for row in rows]


def measure_overlap(first: Segment, second: Segment) -> Overlap:
    with stop_after(LIMIT_MS), connection.cursor() as cursor:
        cursor.execute(OVERLAP, [first.pk, second.pk, first.pk, second.pk])
        of_first, of_second, both = cursor.fetchone()
    return Overlap(both, of_first - both, of_second - both)


@dataclass(frozen=True, slots=True)
class Progress:
    """A build that waits or runs. `done_pct` is reckoned from how long the last one
    took; None where there was none, or while it waits."""

    is_running: bool
    ahead: int
    elapsed_s: float
    usual_s: float | None
    done_pct: int | None


def read_progress(segment: Segment, *, at: datetime) -> Progress | None:
    """None where nothing is being built; one query."""
    if segment.state != Segment.State.BUILDING:
        return None
    started = segment.build_started_at
    if started is None:
        before = Segment.objects.building().before(segment).count()
        return Progress(False, before, 0.0, segment.build_s, None)
    elapsed_s = max((at - started).total_seconds(), 0.0)
    pct = None
    if segment.build_s:
        # Never whole before it is: the last one may have been quicker.
        pct = min(int(elapsed_s * 100 / segment.build_s), DONE_PCT_MAX)
    return Progress(True, 0, elapsed_s, segment.build_s, pct)
