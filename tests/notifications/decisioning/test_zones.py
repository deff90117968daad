from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from notifications.decisioning.zones import (
    UTC_ZONE,
    find_zone,
    resolve_zone,
    to_instant,
    to_wall,
)
from tests.notifications.zone_changes import (
    SAMPLE_ZONES,
    find_changes,
    list_distinct_zones,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("_case", "candidates", "expected"),
    [
        (
            "profile wins",
            [("profile", "Europe/Berlin"), ("device", "Asia/Tokyo")],
            ("Europe/Berlin", "profile"),
        ),
        (
            "an empty profile leaves it to the device",
            [("profile", ""), ("device", "Asia/Tokyo"), ("brand", "Europe/Berlin")],
            ("Asia/Tokyo", "device"),
        ),
        (
            "an unknown name is passed over",
            [("profile", "Mars/Olympus"), ("brand", "Europe/Berlin")],
            ("Europe/Berlin", "brand"),
        ),
        (
            "an offset is no zone",
            [("profile", "(GMT-08:00) Pacific"), ("device", "+02:00")],
            ("UTC", "utc"),
        ),
        ("nobody knows", [], ("UTC", "utc")),
    ],
)
def test_zone_comes_from_the_first_that_knows_one(
    _case: str, candidates: list[tuple[str, str]], expected: tuple[str, str]
) -> None:
    zone, source = resolve_zone(candidates)
    assert (zone.key, source) == expected


@pytest.mark.parametrize(
    "name",
    ["", " ", "America", "../../etc/passwd", "/etc/localtime", "localtime", "Factory"]
    + ["posixrules", "Europe/Berlin\x00", "\ud800", "x" * 5000, "europe/berlin"],
)
def test_name_that_is_no_place_is_unknown(name: str) -> None:
    assert find_zone(name) is None


@pytest.mark.parametrize(
    ("_case", "zone", "wall", "expected"),
    [
        ("plain winter", "Europe/Berlin", "2025-01-15T09:00", "2025-01-15T08:00Z"),
        ("plain summer", "Europe/Berlin", "2025-07-15T09:00", "2025-07-15T07:00Z"),
        ("gap", "America/New_York", "2025-03-09T02:30", "2025-03-09T07:00Z"),
        ("gap's start", "America/New_York", "2025-03-09T02:00", "2025-03-09T07:00Z"),
        (
            "gap's last moment",
            "America/New_York",
            "2025-03-09T02:59:59.999999",
            "2025-03-09T07:00Z",
        ),
        ("gap's end", "America/New_York", "2025-03-09T03:00", "2025-03-09T07:00Z"),
        ("midnight gap", "Africa/Cairo", "2025-04-25T00:00", "2025-04-24T22:00Z"),
        ("midnight gap", "Asia/Beirut", "2025-03-30T00:00", "2025-03-29T22:00Z"),
        ("midnight gap", "America/Santiago", "2025-09-07T00:00", "2025-09-07T04:00Z"),
        ("30 minutes", "Australia/Lord_Howe", "2025-10-05T02:15", "2025-10-04T15:30Z"),
        ("a whole day", "Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00Z"),
        ("comes twice", "America/New_York", "2025-11-02T01:30", "2025-11-02T05:30Z"),
        ("comes twice", "Australia/Lord_Howe", "2025-04-06T01:45", "2025-04-05T14:45Z"),
    ],
)  # fmt: skip
def test_wall_time_names_one_instant(
    _case: str, zone: str, wall: str, expected: str
) -> None:
    assert to_instant(at(wall), ZoneInfo(zone)) == at(expected)


def test_last_is_the_second_time_and_else_the_same() -> None:
    new_york = ZoneInfo("America/New_York")
    twice, gap, plain = (
        at("2025-11-02T01:30"),
        at("2025-03-09T02:30"),
        at("2025-06-01T01:30"),
    )
    assert to_instant(twice, new_york, last=True) == at("2025-11-02T06:30Z")
    assert to_instant(gap, new_york, last=True) == to_instant(gap, new_york)
    assert to_instant(plain, new_york, last=True) == to_instant(plain, new_york)


def test_fold_of_the_given_wall_time_says_nothing() -> None:
    new_york = ZoneInfo("America/New_York")
    wall = at("2025-11-02T01:30")
    assert to_instant(wall.replace(fold=1), new_york) == to_instant(wall, new_york)


def check_walls_around_changes(name: str) -> None:
    """Later walls are never earlier instants, and each is the first that fits."""
    zone = ZoneInfo(name)
    for change in find_changes(name):
        # Odd seconds, so that halving a gap must hit its end exactly.
        start = to_wall(change.at, zone) - timedelta(hours=4, seconds=17)
        previous = None
        for step in range(8 * 12):
            wall = start + timedelta(seconds=301 * step)
            instant = to_instant(wall, zone)
            assert previous is None or instant >= previous
            assert to_wall(instant, zone) >= wall
            assert to_wall(instant - timedelta(seconds=1), zone) < wall
            previous = instant


@pytest.mark.parametrize("name", SAMPLE_ZONES)
def test_instant_is_the_first_at_which_the_wall_time_is_reached(name: str) -> None:
    check_walls_around_changes(name)


@pytest.mark.slow
def test_instant_is_the_first_in_all_zones() -> None:
    for name in list_distinct_zones():
        check_walls_around_changes(name)


def test_every_place_of_the_database_is_known() -> None:
    assert find_zone("UTC") is UTC_ZONE
    for name in available_timezones() - {"localtime", "Factory"}:
        assert find_zone(name) is not None
