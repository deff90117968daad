"""When a recurring campaign runs next, and when a wall time is in each zone.

The fields mean what they mean to celery, whose schedule types the form shows: Sunday
is 0, and all five must match. (Classic cron lets day of month OR day of week match.)

When clocks change, two kinds of crontab differ:
- One that names every hour ("every 5 minutes", "hourly at :30") follows real time. It
  runs in both of the repeated hours, and has nothing to make up for after a gap.
- One that names hours names moments of a day, and each comes once: in a repeated hour
  the first time, in a gap at the first instant after it.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from notifications.decisioning.zones import to_instant, to_wall

ALL_HOURS: Final = frozenset(range(24))
# Any one: a crontab for 29 February is rare, not wrong.
LEAP_YEAR: Final = 2024
# The longest wait a valid crontab can have: a leap day on one weekday over a century
# without one is 40 years.
LOOK_AHEAD_DAYS: Final = 41 * 366


@dataclass(frozen=True, slots=True)
class CronTimes:
    """The fields of a crontab, each as the set of values that match; all must."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]

    def __post_init__(self) -> None:
        _check_field("minutes", self.minutes, 0, 59)
        _check_field("hours", self.hours, 0, 23)
        _check_field("days_of_month", self.days_of_month, 1, 31)
        _check_field("months", self.months, 1, 12)
        _check_field("days_of_week", self.days_of_week, 0, 6)
        longest = max(monthrange(LEAP_YEAR, month)[1] for month in self.months)
        if min(self.days_of_month) > longest:
            raise ValueError("days_of_month: none of these months has such a day")

    def matches_day(self, day: date) -> bool:
        return (
            day.month in self.months
            and day.day in self.days_of_month
            and day.isoweekday() % 7 in self.days_of_week
        )


def find_next_cron(times: CronTimes, *, after: datetime, zone: ZoneInfo) -> datetime:
    """The first run later than `after`, in UTC."""
    if times.hours == ALL_HOURS:
        return _find_next_minute(times, after=after, zone=zone)
    return _find_next_moment(times, after=after, zone=zone)


def find_next_interval(every_s: int, *, anchor: datetime, after: datetime) -> datetime:
    """The first of anchor, anchor + every_s, … later than `after`, in UTC.

    Elapsed seconds: "every 24 hours" moves on the wall clock when clocks change.
    """
    if every_s < 1:
        raise ValueError("an interval is one second or more")
    anchor, after = anchor.astimezone(UTC), after.astimezone(UTC)
    if after < anchor:
        return anchor
    every = timedelta(seconds=every_s)
    return anchor + ((after - anchor) // every + 1) * every


def find_latest(
    find_next: Callable[[datetime], datetime | None], *, first: datetime, at: datetime
) -> datetime:
    """The last of the runs from `first` (one itself) to `at`, by halving the time.

    A minute's interval may have missed a million of them: none is walked through.
    """
    latest, empty_from = first, at
    low = first
    while empty_from - low > timedelta(seconds=1):
        middle = low + (empty_from - low) / 2
        run = find_next(middle)
        if run is not None and run <= at:
            latest = low = run
        else:
            empty_from = middle
    run = find_next(low)
    return run if run is not None and run <= at else latest


def spread_local(wall: datetime, zones: Iterable[str]) -> dict[str, datetime]:
    """The UTC instant of one naive wall time in each zone, by the zone's name.

    Raises ZoneInfoNotFoundError for a name that is none: nobody may be left out
    unseen, so callers resolve contacts' zones first.
    """
    return {name: to_instant(wall, ZoneInfo(name)) for name in zones}


def _find_next_moment(times: CronTimes, *, after: datetime, zone: ZoneInfo) -> datetime:
    clocks = [time(h, m) for h in sorted(times.hours) for m in sorted(times.minutes)]
    # Yesterday too: a clock set back over midnight shows its date again.
    day = to_wall(after, zone).date() - timedelta(days=1)
    while True:
        day = _find_matching_day(times, day)
        walls = [datetime.combine(day, clock) for clock in clocks]
        index = bisect_right(walls, after, key=lambda wall: to_instant(wall, zone))
        if index < len(walls):
            return to_instant(walls[index], zone)
        day += timedelta(days=1)


def _find_next_minute(times: CronTimes, *, after: datetime, zone: ZoneInfo) -> datetime:
    at = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while True:
        wall = to_wall(at, zone)
        if not times.matches_day(wall.date()):
            day = _find_matching_day(times, wall.date() + timedelta(days=1))
            at = to_instant(datetime.combine(day, time.min), zone)
        elif wall.minute not in times.minutes:
            at += timedelta(minutes=1)
        else:
            return at


def _find_matching_day(times: CronTimes, first: date) -> date:
    for days in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=days)
        if times.matches_day(day):
            return day
    raise ValueError("no such day in the next 41 years")


def _check_field(name: str, values: frozenset[int], low: int, high: int) -> None:
    if not values:
        raise ValueError(f"{name}: at least one value is needed")
    if min(values) < low or max(values) > high:
        raise ValueError(f"{name}: values go from {low} to {high}")
