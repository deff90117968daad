"""What the data quality page shows, read from small tables; events are not touched.

Days are whole days in UTC; the last one that ended is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median

from django.db.models import Min

from crm.models import (
    CountedDay,
    DuplicateSuspect,
    EventDay,
    EventName,
    RejectedItem,
)
from crm.quality.names import Similar, list_similar
from crm.quality.volume import BASELINE_DAYS, Verdict, judge_series

# What is new, and what clocks and refusals are told of.
RECENT = timedelta(days=7)
# Names that the page reads: the most frequent, and the last seen.
MAX_SERIES = 500
MAX_NAMES = 2_000
MAX_SUSPECTS = 100
MAX_REASONS = 100
# A client whose clocks run ahead more often than this is pointed out.
AHEAD_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Series:
    """One event's counts by day, the judged day last."""

    name: str
    counts: Sequence[int]
    verdict: Verdict | None

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def last(self) -> int:
        return self.counts[-1]

    @property
    def typical(self) -> float:
        return median(self.counts[:-1])


@dataclass(frozen=True, slots=True)
class Volume:
    """`days` are those of each series; `missing` of them are not counted yet."""

    days: Sequence[date]
    totals: Sequence[int]
    series: Sequence[Series]
    missing: int
    counted_at: datetime | None

    @property
    def findings(self) -> list[Series]:
        return [one for one in self.series if one.verdict is not None]


@dataclass(frozen=True, slots=True)
class Names:
    similar: Sequence[Similar]
    new: Sequence[EventName]


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Who sends, and how many of its events came from a clock that runs ahead."""

    source: str
    library: str
    events: int
    ahead: int

    @property
    def share(self) -> float:
        return self.ahead / self.events if self.events else 0.0

    @property
    def share_pct(self) -> float:
        return 100 * self.share

    @property
    def is_doubtful(self) -> bool:
        return self.share > AHEAD_SHARE


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason over the last days, with the newest sample."""

    row: RejectedItem
    total: int
    first_at: datetime
    last_at: datetime


def read_volume(*, now: datetime) -> Volume:
    """Two queries, whatever the number of events."""
    last = now.astimezone(UTC).date() - timedelta(days=1)
    days = [last - timedelta(days=n) for n in range(BASELINE_DAYS, -1, -1)]
    rows = CountedDay.objects.filter(counted_on__in=days)
    counted = {row.counted_on: row for row in rows}
    found: dict[str, dict[date, int]] = defaultdict(dict)
    for name, day, total in EventDay.objects.between(days[0], last).by_name():
        found[name][day] = total
    names = sorted(found, key=lambda name: (-sum(found[name].values()), name))
    usable = count_usable(days, counted)
    series = [
        _judge(name, [found[name].get(day, 0) for day in days], usable)
        for name in names[:MAX_SERIES]
    ]
    return Volume(
        days=days,
        totals=[counted[day].events if day in counted else 0 for day in days],
        series=series,
        missing=len(days) - len(counted),
        counted_at=max((row.counted_at for row in counted.values()), default=None),
    )


def count_usable(days: Sequence[date], counted: Mapping[date, CountedDay]) -> int:
    """How many days at the end are counted without a gap: a gap is no silence."""
    gaps = (n for n, day in enumerate(reversed(days)) if day not in counted)
    return next(gaps, len(days))


def _judge(name: str, counts: list[int], usable: int) -> Series:
    verdict = judge_series(counts[-usable:]) if usable else None
    return Series(name, counts, verdict)


def read_names(volume: Volume, *, now: datetime) -> Names:
    """Similar names, the more frequent one first, and the names of this week."""
    rows = list(EventName.objects.order_by("-last_seen_at", "name")[:MAX_NAMES])
    totals = {one.name: one.total for one in volume.series}
    rows.sort(key=lambda row: (-totals.get(row.name, 0), row.first_seen_at, row.name))
    names = [row.name for row in rows if not row.name.startswith("$")]
    return Names(list_similar(names), list_new(rows, now))


def list_new(rows: Sequence[EventName], now: datetime) -> list[EventName]:
    """In an installation's first week everything is new, and nothing is told."""
    oldest = EventName.objects.aggregate(at=Min("first_seen_at"))["at"]
    if oldest is None or oldest > now - RECENT:
        return []
    new = [row for row in rows if row.first_seen_at > now - RECENT]
    return sorted(new, key=lambda row: row.first_seen_at, reverse=True)


def read_clients(*, now: datetime) -> list[ApiClient]:
    """The clients of the last seven days, the most doubtful first."""
    today = now.astimezone(UTC).date()
    rows = EventDay.objects.between(today - RECENT, today).by_client()
    clients = [ApiClient(*row) for row in rows]
    return sorted(clients, key=lambda one: (-one.share, -one.events, one.source))


def read_refusals() -> list[Refusal]:
    grouped = list(RejectedItem.objects.all().by_reason()[:MAX_REASONS])
    rows = RejectedItem.objects.in_bulk([line["newest"] for line in grouped])
    return [
        Refusal(rows[line["newest"]], line["total"], line["first"], line["last"])
        for line in grouped
        if line["newest"] in rows
    ]


def read_suspects() -> list[DuplicateSuspect]:
    """The newest pairs that nobody has judged."""
    rows = DuplicateSuspect.objects.open().select_related("first", "second")
    return list(rows.order_by("-found_at", "-pk")[:MAX_SUSPECTS])
