from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.campaigns.schedule import (
    CronTimes,
    find_next_cron,
)
from notifications.decisioning.zones import to_wall
from tests.notifications.campaigns.crontabs import at, make_times
from tests.notifications.zone_changes import (
    SAMPLE_ZONES,
    find_changes,
    list_distinct_zones,
)


def list_runs(line: str, zone: str, start: str, count: int) -> list[datetime]:
    times, runs, after = make_times(line), [], at(start)
    for _ in range(count):
        after = find_next_cron(times, after=after, zone=ZoneInfo(zone))
        runs.append(after)
    return runs


@pytest.mark.parametrize(
    ("_case", "line", "zone", "after", "expected"),
    [
        ("later today", "0 9 * * *", "UTC", "2025-01-15T08:00Z", "2025-01-15T09:00Z"),
        ("strictly so", "0 9 * * *", "UTC", "2025-01-15T09:00Z", "2025-01-16T09:00Z"),
        (
            "a moment before",
            "0 9 * * *",
            "UTC",
            "2025-01-15T08:59:59.9Z",
            "2025-01-15T09:00Z",
        ),
        (
            "in the zone",
            "0 9 * * *",
            "Asia/Tokyo",
            "2025-01-15T08:00Z",
            "2025-01-16T00:00Z",
        ),
        (
            "Sunday is 0",
            "0 9 * * 0",
            "UTC",
            "2025-01-15T00:00Z",
            "2025-01-19T09:00Z",
        ),
        (
            "both days must match: Friday the 13th",
            "0 9 13 * 5",
            "UTC",
            "2025-01-15T00:00Z",
            "2025-06-13T09:00Z",
        ),
        (
            "a leap day on a Monday",
            "0 9 29 2 1",
            "UTC",
            "2025-01-01T00:00Z",
            "2044-02-29T09:00Z",
        ),
        (
            "every hour of a rare day",
            "*/5 * 29 2 *",
            "UTC",
            "2025-01-01T00:03Z",
            "2028-02-29T00:00Z",
        ),
        (
            "the 31st leaves months out",
            "0 9 31 * *",
            "UTC",
            "2025-03-31T09:00Z",
            "2025-05-31T09:00Z",
        ),
    ],
)  # fmt: skip
def test_next_cron(_case: str, line: str, zone: str, after: str, expected: str) -> None:
    found = find_next_cron(make_times(line), after=at(after), zone=ZoneInfo(zone))
    assert found == at(expected)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("_case", "zone", "line", "start", "expected"),
    [
        (
            "New York, gap at 02:00",
            "America/New_York",
            "30 2 * * *",
            "2025-03-08T12:00Z",
            ["2025-03-09T07:00Z", "2025-03-10T06:30Z"],
        ),
        (
            "New York, 01:00 to 02:00 twice",
            "America/New_York",
            "30 1 * * *",
            "2025-11-01T12:00Z",
            ["2025-11-02T05:30Z", "2025-11-03T06:30Z"],
        ),
        (
            "Berlin, gap at 02:00",
            "Europe/Berlin",
            "30 2 * * *",
            "2025-03-29T12:00Z",
            ["2025-03-30T01:00Z", "2025-03-31T00:30Z"],
        ),
        (
            "Berlin, 02:00 to 03:00 twice",
            "Europe/Berlin",
            "30 2 * * *",
            "2025-10-25T12:00Z",
            ["2025-10-26T00:30Z", "2025-10-27T01:30Z"],
        ),
        (
            "Cairo, gap at midnight",
            "Africa/Cairo",
            "30 0 * * *",
            "2025-04-24T12:00Z",
            ["2025-04-24T22:00Z", "2025-04-25T21:30Z"],
        ),
        (
            "Cairo, 23:00 to 24:00 twice",
            "Africa/Cairo",
            "30 23 * * *",
            "2025-10-30T12:00Z",
            ["2025-10-30T20:30Z", "2025-10-31T21:30Z"],
        ),
        (
            "Santiago, gap at midnight",
            "America/Santiago",
            "0 0 * * *",
            "2025-09-06T12:00Z",
            ["2025-09-07T04:00Z", "2025-09-08T03:00Z"],
        ),
        (
            "Santiago, 23:00 to 24:00 twice",
            "America/Santiago",
            "30 23 * * *",
            "2025-04-05T12:00Z",
            ["2025-04-06T02:30Z", "2025-04-07T03:30Z"],
        ),
        (
            "Lord Howe, gap of half an hour at 02:00",
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2025-10-04T12:00Z",
            ["2025-10-04T15:30Z", "2025-10-05T15:15Z"],
        ),
        (
            "Lord Howe, 01:30 to 02:00 twice",
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2025-04-05T12:00Z",
            ["2025-04-05T14:45Z", "2025-04-06T15:15Z"],
        ),
        (
            "many moments in one gap are one run",
            "America/New_York",
            "*/15 2 * * *",
            "2025-03-09T00:00Z",
            ["2025-03-09T07:00Z", "2025-03-10T06:00Z"],
        ),
        (
            "a moment at the end of the gap is no second run",
            "America/New_York",
            "30 2,3 * * *",
            "2025-03-09T00:00Z",
            ["2025-03-09T07:00Z", "2025-03-09T07:30Z", "2025-03-10T06:30Z"],
        ),
    ],
)
def test_clock_changes_neither_lose_nor_double_a_run(
    _case: str, zone: str, line: str, start: str, expected: list[str]
) -> None:
    runs = list_runs(line, zone, start, len(expected))
    assert runs == [at(text) for text in expected]


def test_every_hour_means_real_time() -> None:
    autumn = list_runs("30 * * * *", "America/New_York", "2025-11-02T05:00Z", 3)
    assert autumn == [at(f"2025-11-02T{hour}:30Z") for hour in ("05", "06", "07")]
    spring = list_runs("30 * * * *", "America/New_York", "2025-03-09T06:00Z", 3)
    assert spring == [at(f"2025-03-09T{hour}:30Z") for hour in ("06", "07", "08")]


def check_five_minutes(name: str) -> None:
    zone, times = ZoneInfo(name), make_times("*/5 * * * *")
    for change in find_changes(name):
        after = change.at - timedelta(hours=2, seconds=1)
        while after < change.at + timedelta(hours=2):
            found = find_next_cron(times, after=after, zone=zone)
            assert timedelta(0) < found - after <= timedelta(minutes=5)
            after = found


@pytest.mark.parametrize("name", SAMPLE_ZONES)
def test_every_five_minutes_is_every_five_minutes(name: str) -> None:
    check_five_minutes(name)


@pytest.mark.slow
def test_every_five_minutes_is_so_in_all_zones() -> None:
    for name in list_distinct_zones():
        check_five_minutes(name)


def check_daily_runs(name: str) -> None:
    """Each half-hour of the day runs once a day, whatever the clocks do."""
    zone = ZoneInfo(name)
    for change in find_changes(name):
        start = (change.at - timedelta(days=2)).isoformat()
        for half in range(48):
            line = f"{half % 2 * 30} {half // 2} * * *"
            walls = [to_wall(run, zone) for run in list_runs(line, name, start, 4)]
            # A moment pushed to the end of a gap is late by the gap, no more.
            for previous, following in pairwise(walls):
                assert abs(following - previous - timedelta(days=1)) <= abs(
                    change.shift
                )


@pytest.mark.parametrize("name", SAMPLE_ZONES[:4])
def test_each_moment_comes_once_a_day(name: str) -> None:
    check_daily_runs(name)


@pytest.mark.slow
def test_each_moment_comes_once_a_day_in_all_zones() -> None:
    for name in list_distinct_zones():
        check_daily_runs(name)


FIELDS = {
    "minute": st.sampled_from(["*", "0", "30", "*/5", "7,52", "10-20"]),
    "hour": st.sampled_from(["*", "0", "9", "*/6", "8-18", "23"]),
    "month_day": st.sampled_from(["*", "1", "15", "1-7", "*/10", "28"]),
    "month": st.sampled_from(["*", "2", "*/3", "1,12"]),
    "week_day": st.sampled_from(["*", "0", "1-5", "6", "2,4"]),
}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    after=st.datetimes(
        datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)  # noqa: DTZ001
    ),
    **FIELDS,
)  # fmt: skip
def test_utc_runs_are_celerys(after: datetime, **fields: str) -> None:
    order = ("minute", "hour", "month_day", "month", "week_day")
    times = make_times(" ".join(fields[name] for name in order))
    found = find_next_cron(times, after=after, zone=ZoneInfo("UTC"))
    spec = crontab(
        fields["minute"],
        fields["hour"],
        fields["week_day"],
        fields["month_day"],
        fields["month"],
        nowfun=lambda: after,
    )
    last, delta, _ = spec.remaining_delta(after, tz=UTC)
    assert found == last + delta


@pytest.mark.parametrize(
    ("_case", "fields", "message"),
    [
        ("no minute", {"minutes": frozenset()}, "minutes: at least one"),
        ("minute 60", {"minutes": frozenset({60})}, "minutes: values go from 0 to 59"),
        ("hour 24", {"hours": frozenset({24})}, "hours: values go from 0 to 23"),
        ("day 0", {"days_of_month": frozenset({0})}, "days_of_month: values go"),
        ("month 13", {"months": frozenset({13})}, "months: values go"),
        ("weekday 7", {"days_of_week": frozenset({7})}, "days_of_week: values go"),
        (
            "30 February",
            {"days_of_month": frozenset({30}), "months": frozenset({2})},
            "none of these months has such a day",
        ),
        (
            "31 April, June, September, November",
            {"days_of_month": frozenset({31}), "months": frozenset({4, 6, 9, 11})},
            "none of these months has such a day",
        ),
    ],
)
def test_impossible_times_are_refused(
    _case: str, fields: dict[str, frozenset[int]], message: str
) -> None:
    known = {
        "minutes": frozenset({0}),
        "hours": frozenset({9}),
        "days_of_month": frozenset(range(1, 32)),
        "months": frozenset(range(1, 13)),
        "days_of_week": frozenset(range(7)),
    }
    with pytest.raises(ValueError, match=message):
        CronTimes(**known | fields)
