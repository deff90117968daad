from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.decisioning.quiet_hours import (
    LOOK_AHEAD_MAX_DAYS,
    QuietWindow,
    find_quiet_end,
    find_window_end,
)
from notifications.decisioning.zones import to_instant, to_wall
from tests.notifications.zone_changes import (
    SAMPLE_ZONES,
    Change,
    find_changes,
    list_distinct_zones,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def make_window(text: str) -> QuietWindow:
    start, end = text.split("-")
    return QuietWindow(time.fromisoformat(start), time.fromisoformat(end))


NIGHT = make_window("22:00-08:00")
# The ordinary one, and every way for an edge to meet a change of clocks.
WINDOWS = [
    make_window(text)
    for text in (
        *("22:00-08:00", "21:00-08:00", "00:00-06:00", "01:30-02:30", "02:15-02:45"),
        *("23:30-00:30", "23:00-00:00", "01:15-01:45", "03:00-02:00", "08:00-22:00"),
        *("00:30-00:15", "12:00-11:59"),
    )
]


@pytest.mark.parametrize(
    ("_case", "zone", "when", "window", "expected"),
    [
        ("by day", "Europe/Berlin", "2025-01-15T12:00Z", "22:00-08:00", None),
        (
            "before midnight",
            "Europe/Berlin",
            "2025-01-15T22:30Z",
            "22:00-08:00",
            "2025-01-16T07:00Z",
        ),
        (
            "after midnight",
            "Europe/Berlin",
            "2025-01-16T01:00Z",
            "22:00-08:00",
            "2025-01-16T07:00Z",
        ),
        (
            "the start is inside",
            "UTC",
            "2025-01-15T22:00Z",
            "22:00-08:00",
            "2025-01-16T08:00Z",
        ),
        (
            "a microsecond before the start is outside",
            "UTC",
            "2025-01-15T21:59:59.999999Z",
            "22:00-08:00",
            None,
        ),
        ("the end is outside", "UTC", "2025-01-16T08:00Z", "22:00-08:00", None),
        (
            "a microsecond before the end is inside",
            "UTC",
            "2025-01-16T07:59:59.999999Z",
            "22:00-08:00",
            "2025-01-16T08:00Z",
        ),
        (
            "within a day",
            "UTC",
            "2025-01-15T13:00Z",
            "12:00-14:00",
            "2025-01-15T14:00Z",
        ),
        ("start == end is none", "UTC", "2025-01-15T08:00Z", "08:00-08:00", None),
        (
            "the end is skipped: first instant after the gap",
            "America/New_York",
            "2025-03-09T06:00Z",
            "22:00-02:30",
            "2025-03-09T07:00Z",
        ),
        (
            "the end comes twice: the last one",
            "America/New_York",
            "2025-11-02T05:40Z",
            "22:00-01:30",
            "2025-11-02T06:30Z",
        ),
        (
            "the start comes twice: the first one",
            "America/New_York",
            "2025-11-02T06:10Z",
            "01:30-08:00",
            "2025-11-02T13:00Z",
        ),
        (
            "a window inside the gap is none",
            "America/New_York",
            "2025-03-09T07:00Z",
            "02:15-02:45",
            None,
        ),
        (
            "no free time between two nights: the second one's end",
            "America/New_York",
            "2025-03-09T06:00Z",
            "03:00-02:00",
            "2025-03-10T06:00Z",
        ),
    ],
)
def test_window_end(
    _case: str, zone: str, when: str, window: str, expected: str | None
) -> None:
    end = find_window_end(at(when), ZoneInfo(zone), make_window(window))
    assert end == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("_case", "zone", "begins_on", "hours"),
    [
        ("spring in New York", "America/New_York", "2025-03-08", 9),
        ("autumn in New York", "America/New_York", "2025-11-01", 11),
        ("spring in Berlin", "Europe/Berlin", "2025-03-29", 9),
        ("autumn in Berlin", "Europe/Berlin", "2025-10-25", 11),
        ("spring in Cairo", "Africa/Cairo", "2025-04-24", 9),
        ("autumn in Cairo", "Africa/Cairo", "2025-10-30", 11),
        ("spring in Santiago", "America/Santiago", "2025-09-06", 9),
        ("autumn in Santiago", "America/Santiago", "2025-04-05", 11),
        ("spring on Lord Howe", "Australia/Lord_Howe", "2025-10-04", 9.5),
        ("autumn on Lord Howe", "Australia/Lord_Howe", "2025-04-05", 10.5),
        ("any night", "Europe/Berlin", "2025-06-01", 10),
    ],
)
def test_night_is_as_long_as_it_truly_is(
    _case: str, zone: str, begins_on: str, hours: float
) -> None:
    start = to_instant(at(f"{begins_on}T22:00"), ZoneInfo(zone))
    end = find_window_end(start, ZoneInfo(zone), NIGHT)
    assert end is not None
    assert end - start == timedelta(hours=hours)


def test_window_that_began_before_clocks_went_back_over_midnight_still_holds() -> None:
    # Newfoundland until 2011: one minute past midnight became 23:01 of the day before.
    st_johns = ZoneInfo("America/St_Johns")
    second_half_past_eleven = at("2010-11-07T03:00Z")
    assert to_wall(second_half_past_eleven, st_johns) == at("2010-11-06T23:30")
    end = find_window_end(second_half_past_eleven, st_johns, make_window("00:00-00:30"))
    assert end == at("2010-11-07T04:00Z")


def test_windows_that_touch_are_one() -> None:
    windows = [make_window("22:00-02:00"), make_window("01:00-08:00")]
    windows.append(make_window("08:00-09:00"))
    end = find_quiet_end(at("2025-01-15T23:00Z"), ZoneInfo("UTC"), windows)
    assert end == at("2025-01-16T09:00Z")


def test_windows_without_free_time_do_not_search_for_ever() -> None:
    start = at("2025-01-15T23:00Z")
    windows = [make_window("22:00-10:00"), make_window("09:00-23:00")]
    end = find_quiet_end(start, ZoneInfo("UTC"), windows)
    assert end is not None
    assert end >= start + timedelta(days=LOOK_AHEAD_MAX_DAYS)


def test_window_is_wall_time() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        QuietWindow(time(22, tzinfo=UTC), time(8))


def is_inside(wall: time, window: QuietWindow) -> bool:
    """The promise itself, in the plainest words there are."""
    if window.start <= window.end:
        return window.start <= wall < window.end
    return wall >= window.start or wall < window.end


def check_promise(when: datetime, zone: ZoneInfo, window: QuietWindow) -> None:
    end = find_window_end(when, zone, window)
    if end is None:
        assert not is_inside(to_wall(when, zone).time(), window)
        return
    assert end > when
    assert not is_inside(to_wall(end, zone).time(), window)
    # It is the first: a moment before is still held, by the same end.
    assert find_window_end(end, zone, window) is None
    assert find_window_end(end - timedelta(seconds=1), zone, window) == end


def check_change(zone: ZoneInfo, change: Change, *, step: timedelta) -> None:
    hours = timedelta(hours=3)
    for window in WINDOWS:
        when = change.at - hours
        while when < change.at + hours:
            check_promise(when, zone, window)
            when += step


@pytest.mark.parametrize("name", SAMPLE_ZONES)
def test_nothing_leaves_inside_the_promised_hours(name: str) -> None:
    for change in find_changes(name)[:2]:
        check_change(ZoneInfo(name), change, step=timedelta(minutes=15))


@pytest.mark.slow
def test_nothing_leaves_inside_the_promised_hours_in_all_zones() -> None:
    for name in list_distinct_zones():
        for change in find_changes(name):
            check_change(ZoneInfo(name), change, step=timedelta(minutes=15))


def check_nights(name: str) -> int:
    """Away from its edges, a change makes the night exactly so much shorter."""
    checked = 0
    zone = ZoneInfo(name)
    for change in find_changes(name):
        wall = to_wall(change.at, zone)
        begins_on = (wall - timedelta(hours=12)).date()
        start = to_instant(datetime.combine(begins_on, NIGHT.start), zone)
        last = to_instant(
            datetime.combine(begins_on + timedelta(days=1), NIGHT.end), zone
        )
        margin = timedelta(hours=3)
        if not start + margin / 2 < change.at < last - margin:
            continue
        end = find_window_end(start, zone, NIGHT)
        assert end is not None
        assert end - start == timedelta(hours=10) - change.shift
        checked += 1
    return checked


@pytest.mark.parametrize("name", SAMPLE_ZONES)
def test_night_loses_what_the_clock_gains(name: str) -> None:
    check_nights(name)


@pytest.mark.slow
def test_night_loses_what_the_clock_gains_in_all_zones() -> None:
    # Most changes lie well inside a night, or this would prove nothing.
    assert sum(check_nights(name) for name in list_distinct_zones()) > 300


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    when=st.datetimes(
        datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)  # noqa: DTZ001
    ),
    name=st.sampled_from(SAMPLE_ZONES),
    start=st.integers(0, 95),
    end=st.integers(0, 95),
)  # fmt: skip
def test_promise_holds_for_any_window_at_any_time(
    when: datetime, name: str, start: int, end: int
) -> None:
    window = QuietWindow(time(start // 4, start % 4 * 15), time(end // 4, end % 4 * 15))
    if window.start != window.end:
        check_promise(when, ZoneInfo(name), window)
