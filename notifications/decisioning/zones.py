"""Wall clocks and instants: whose zone, and which instant a wall time names.

A wall time that a change of clocks skips means the first instant after the gap; one
that comes twice means the first time. All arithmetic is done in UTC: Python subtracts
two datetimes of one zone by their wall clocks, an hour wrong on such nights.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

# Files of the time zone database that name no place: this machine's own clock, and
# placeholders. A contact's zone must not depend on where the worker runs.
NO_PLACES: Final = frozenset({"localtime", "posixrules", "Factory"})

UTC_ZONE: Final = ZoneInfo("UTC")
# The source that `resolve_zone` names when no candidate has a known zone.
FALLBACK_SOURCE: Final = "utc"


def resolve_zone(candidates: Sequence[tuple[str, str]]) -> tuple[ZoneInfo, str]:
    """The first known zone of (source, name) pairs, and the source it came from.

    Callers pass them in the order profile, device, brand. Empty and unknown names
    are passed over; UTC stands at the end.
    """
    for source, name in candidates:
        zone = find_zone(name)
        if zone is not None:
            return zone, source
    return UTC_ZONE, FALLBACK_SOURCE


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, None for anything else."""
    return ZoneInfo(name) if name in _load_names() else None


def list_zones() -> list[str]:
    """Every name that `find_zone` knows, in order."""
    return sorted(_load_names())


def to_instant(wall: datetime, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """The UTC instant of a naive wall time in a zone.

    In a gap: the first instant after it. Where it comes twice: the first time, or
    with `last` the second.
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if to_wall(first, zone) != wall:
        return _find_gap_end(wall, zone)
    if not last:
        return first
    return wall.replace(tzinfo=zone, fold=1).astimezone(UTC)


def to_wall(at: datetime, zone: ZoneInfo) -> datetime:
    """The naive wall time that clocks in the zone show at an instant."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


@cache
def _load_names() -> frozenset[str]:
    return frozenset(available_timezones()) - NO_PLACES


def _find_gap_end(wall: datetime, zone: ZoneInfo) -> datetime:
    # Read with the offset from after the gap (fold 1) a skipped wall time lies before
    # the change, with the one from before it (fold 0) after. Changes happen on whole
    # seconds, so halving finds the exact one.
    before = wall.replace(tzinfo=zone, fold=1, microsecond=0).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=0, microsecond=0).astimezone(UTC)
    low_s, high_s = 0, int((after - before).total_seconds())
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if to_wall(before + timedelta(seconds=middle_s), zone) > wall:
            high_s = middle_s
        else:
            low_s = middle_s
    return before + timedelta(seconds=high_s)
