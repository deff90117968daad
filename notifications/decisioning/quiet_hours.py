"""Quiet hours: until when a person must be left alone.

A window is a promise about the clock on the person's wall: no message while it shows
a time in [start, end). On nights when clocks change the edges are therefore chosen so
that the window can only grow over such times, never miss one: a start that comes twice
is its first time, an end that comes twice is its last, an edge that is skipped is the
first instant after the gap. The edges become UTC instants before they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifications.decisioning.zones import to_instant, to_wall

# Windows that together cover the whole clock leave nobody free: stop looking there.
LOOK_AHEAD_MAX_DAYS = 8

# Days from the local date of an instant on which a window that covers it can begin: a
# window that wraps midnight began the day before, and a clock set back over midnight
# shows yesterday's date after today's.
START_DAYS = (-1, 0, 1)


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """[start, end) on the person's clock; wraps midnight; start == end is none."""

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("quiet hours are wall times without a zone")


def find_window_end(
    at: datetime, zone: ZoneInfo, window: QuietWindow
) -> datetime | None:
    """The UTC instant at which this quiet time ends; None if `at` is not in it.

    Where a change of clocks makes two nights touch, the end of the second.
    """
    return find_quiet_end(at, zone, (window,))


def find_quiet_end(
    at: datetime, zone: ZoneInfo, windows: Iterable[QuietWindow]
) -> datetime | None:
    """The first instant from `at` on that no window covers; None if that is `at`.

    Windows that leave no free time answer with an instant a week or more ahead.
    """
    windows = tuple(window for window in windows if window.start != window.end)
    latest = at + timedelta(days=LOOK_AHEAD_MAX_DAYS)
    free_at = at
    while free_at < latest:
        ends = [_find_covering_end(free_at, zone, window) for window in windows]
        covering = [end for end in ends if end is not None]
        if not covering:
            break
        free_at = max(covering)
    return None if free_at == at else free_at


def _find_covering_end(
    at: datetime, zone: ZoneInfo, window: QuietWindow
) -> datetime | None:
    today = to_wall(at, zone).date()
    nights = window.start > window.end
    for days in START_DAYS:
        begin_on = today + timedelta(days=days)
        end_on = begin_on + timedelta(days=nights)
        end_at = to_instant(datetime.combine(end_on, window.end), zone, last=True)
        if at >= end_at:
            continue
        if at >= to_instant(datetime.combine(begin_on, window.start), zone):
            return end_at
    return None
