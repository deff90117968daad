"""Intervals, the latest run that came, and local time: the rest of the schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.campaigns.schedule import (
    find_latest,
    find_next_cron,
    find_next_interval,
    spread_local,
)
from notifications.decisioning.zones import to_wall
from tests.notifications.campaigns.crontabs import SOME_TIME, at, make_times


@pytest.mark.parametrize(
    ("_case", "every_s", "after", "expected"),
    [
        ("before the anchor", 3600, "2024-12-31T00:00Z", "2025-01-01T00:00Z"),
        ("at the anchor", 3600, "2025-01-01T00:00Z", "2025-01-01T01:00Z"),
        ("every second", 1, "2025-01-01T00:00:07.5Z", "2025-01-01T00:00:08Z"),
        ("between", 3600, "2025-01-01T01:30Z", "2025-01-01T02:00Z"),
        ("a missed year is one run", 86_400, "2026-03-04T05:06Z", "2026-03-05T00:00Z"),
        ("in another zone", 3600, "2025-01-01T01:30+01:00", "2025-01-01T01:00Z"),
    ],
)  # fmt: skip
def test_next_interval(_case: str, every_s: int, after: str, expected: str) -> None:
    anchor = at("2025-01-01T00:00Z")
    assert find_next_interval(every_s, anchor=anchor, after=at(after)) == at(expected)


def test_interval_counts_elapsed_time_over_a_change_of_clocks() -> None:
    new_york = ZoneInfo("America/New_York")
    anchor = at("2025-03-08T12:00").replace(tzinfo=new_york)
    following = find_next_interval(86_400, anchor=anchor, after=anchor)
    assert following - anchor.astimezone(UTC) == timedelta(hours=24)
    assert to_wall(following, new_york) == at("2025-03-09T13:00")


def test_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one second or more"):
        find_next_interval(0, anchor=SOME_TIME, after=SOME_TIME)


@settings(max_examples=300, deadline=None)
@given(
    every_s=st.integers(1, 100_000),
    late_s=st.integers(0, 1_000_000),
)
def test_the_latest_interval_is_found_without_walking(
    every_s: int, late_s: int
) -> None:
    first = at("2026-03-01T00:00Z")
    now = first + timedelta(seconds=late_s, microseconds=1)
    asked: list[datetime] = []

    def find_next(after: datetime) -> datetime:
        asked.append(after)
        return find_next_interval(every_s, anchor=first, after=after)

    latest = find_latest(find_next, first=first, at=now)

    assert latest == first + timedelta(seconds=late_s // every_s * every_s)
    assert len(asked) <= 25


def test_the_latest_of_a_crontab_is_the_last_moment_that_came() -> None:
    times = make_times("0 9,17 * * 1-5")
    zone = ZoneInfo("Europe/Berlin")
    latest = find_latest(
        lambda after: find_next_cron(times, after=after, zone=zone),
        first=at("2026-11-02T08:00Z"),
        at=at("2026-11-22T12:00Z"),
    )
    assert latest == at("2026-11-20T16:00Z")


def test_local_time_is_an_instant_per_zone() -> None:
    instants = spread_local(
        at("2025-03-30T02:30"),
        ["Pacific/Kiritimati", "Europe/Berlin", "Pacific/Pago_Pago"],
    )
    assert instants == {
        "Pacific/Kiritimati": at("2025-03-29T12:30Z"),
        "Europe/Berlin": at("2025-03-30T01:00Z"),
        "Pacific/Pago_Pago": at("2025-03-30T13:30Z"),
    }


def test_local_time_leaves_nobody_out_unseen() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        spread_local(at("2025-03-30T02:30"), ["Europe/Berlin", "Mars/Olympus"])
