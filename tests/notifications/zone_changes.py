"""Every change of clocks in every zone from 2024 to 2030, found by looking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

SCAN_FROM = datetime(2024, 1, 1, tzinfo=UTC)
SCAN_TO = datetime(2031, 1, 1, tzinfo=UTC)

# One of each kind: an hour at night, at midnight, half an hour, southern, to another
# date, two hours, twice a year around Ramadan, and none.
SAMPLE_ZONES = (
    "America/New_York",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Santiago",
    "America/Nuuk",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/Havana",
    "Asia/Kolkata",
)


@dataclass(frozen=True, slots=True)
class Change:
    """The instant from which clocks are `shift` further on (negative: back)."""

    at: datetime
    shift: timedelta


@cache
def find_changes(name: str) -> tuple[Change, ...]:
    zone = ZoneInfo(name)
    changes = []
    low = SCAN_FROM
    while low < SCAN_TO:
        high = low + timedelta(days=1)
        shift = _offset(high, zone) - _offset(low, zone)
        if shift:
            changes.append(Change(_halve(low, high, zone), shift))
        low = high
    return tuple(changes)


@cache
def list_distinct_zones() -> tuple[str, ...]:
    """One name for all zones whose clocks agree throughout."""
    names: dict[object, str] = {}
    for name in sorted(available_timezones() - {"localtime", "Factory"}):
        key = (_offset(SCAN_FROM, ZoneInfo(name)), find_changes(name))
        names.setdefault(key, name)
    return tuple(names.values())


def _halve(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    before = _offset(low, zone)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
        if _offset(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
