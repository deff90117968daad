"""Who uses a segment: other segments by their rules, and what downstream tells."""

from __future__ import annotations

from django.urls import reverse

from crm.ports import audiences
from crm.ports.audiences import Use
from segments.models import Segment

# Of what holds a segment, as many are named.
SHOWN_USERS = 5


def list_uses(segment: Segment) -> list[Use]:
    """Segments that name it, then campaigns; one query and each provider's."""
    naming = Segment.objects.depending_on(segment.slug).order_by("name")
    segments = [
        Use(
            "segment",
            one.name,
            one.get_state_display(),
            reverse("admin:segments_segment_overview", args=[one.pk]),
            is_live=True,
        )
        for one in naming
    ]
    return [*segments, *audiences.list_uses(segment.pk)]


def name_uses(uses: list[Use]) -> str:
    """`campaign “Win back”, segment “VIPs” and 3 more`."""
    named = ", ".join(str(use) for use in uses[:SHOWN_USERS])
    more = len(uses) - SHOWN_USERS
    return f"{named} and {more} more" if more > 0 else named
