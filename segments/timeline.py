"""What segments add to the contact page: where somebody is, came in and left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.urls import reverse

from crm.ports.timeline import Entry, Panel
from segments.models import Membership, MembershipChange

PANEL_ROWS = 50


class SegmentTimeline:
    """Provider of the port `timeline`."""

    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        rows = MembershipChange.objects.of_contact(contact_id, before=before)
        return [
            Entry(
                at=row.at,
                kind="segment",
                title=f"{row.get_action_display()} segment “{row.segment}”",
                detail=row.reason,
                url=reverse("admin:segments_segment_people", args=[row.segment_id]),
            )
            for row in rows[:limit]
        ]

    def panels(self, contact_id: int) -> Sequence[Panel]:
        rows = Membership.objects.for_contact(contact_id)[:PANEL_ROWS]
        shown = [
            (
                row.segment.name,
                f"since {row.entered_at:%-d %b %Y, %H:%M}",
                reverse("admin:segments_segment_people", args=[row.segment_id]),
            )
            for row in rows
        ]
        return [Panel("Segments", shown, empty="In no segment.")]
