"""Port `sheets`: the members of a segment as people to export."""

from __future__ import annotations

from collections.abc import Sequence

from crm.ports.facts import Sql
from segments.models import Segment


class SegmentGroups:
    def list_groups(self) -> Sequence[tuple[str, str]]:
        return list(Segment.objects.order_by("name").values_list("slug", "name"))

    def select_people(self, slug: str) -> Sql:
        return Sql(
            "SELECT m.contact_id FROM segments_membership m "
            "JOIN segments_segment s ON s.id = m.segment_id WHERE s.slug = %s",
            (slug,),
        )
