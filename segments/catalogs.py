"""Segments that ask about items of a catalog, and follow what moves there."""

from __future__ import annotations

from datetime import datetime, timedelta

from crm.catalog.moves import see_moves
from segments.models import Segment

# After following, a segment rests so many times as long as its build took: catalogs
# move all day, and all this shall take a small part of it.
REST_BUILDS = 20


def list_behind(at: datetime) -> list[int]:
    """Segments to compare with the whole base, because items moved since they were.

    Only the worker that builds calls it: what commits while it looks is looked at by
    the builds that follow.
    """
    moved_at = see_moves(at)
    if moved_at is None:
        return []
    return [
        segment.pk
        for segment in Segment.objects.behind_catalogs(moved_at)
        if _has_rested(segment, at)
    ]


def _has_rested(segment: Segment, at: datetime) -> bool:
    rest = REST_BUILDS * timedelta(seconds=segment.build_s or 0)
    return segment.refreshed_at is None or at - segment.refreshed_at >= rest
