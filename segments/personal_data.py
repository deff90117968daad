"""Memberships as personal data: moved by a merge, told, and erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from segments.models import ContactClock, JudgedContact, Membership, MembershipChange

# Where both were in a segment, the older row stays.
MOVE_MEMBERSHIPS = """
UPDATE segments_membership m SET contact_id = %(target)s
WHERE m.contact_id = %(source)s AND NOT EXISTS (
  SELECT 1 FROM segments_membership t
  WHERE t.segment_id = m.segment_id AND t.contact_id = %(target)s)
RETURNING m.id
"""
KEEP_OLDER = """
UPDATE segments_membership t SET entered_at = least(t.entered_at, m.entered_at)
FROM segments_membership m
WHERE t.contact_id = %(target)s AND m.contact_id = %(source)s
  AND t.segment_id = m.segment_id
"""
# Whatever the order in which the other holders move their facts: the next tick
# judges the merged contact in every live segment.
JUDGE_SOON = """
INSERT INTO segments_contactclock (segment_id, contact_id, next_change_at)
SELECT s.id, %(target)s, clock_timestamp() FROM segments_segment s
WHERE s.kind = 'dynamic' AND s.current_version_id IS NOT NULL
ON CONFLICT (segment_id, contact_id)
  DO UPDATE SET next_change_at = excluded.next_change_at
"""


class SegmentHolder:
    """Holder of the port `personal_data`."""

    models: Sequence[str] = (
        "segments.membership",
        "segments.membershipchange",
        "segments.contactclock",
        "segments.judgedcontact",
    )

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        people = {"source": source_id, "target": target_id}
        with connection.cursor() as cursor:
            cursor.execute(KEEP_OLDER, people)
            cursor.execute(MOVE_MEMBERSHIPS, people)
            moved = [pk for (pk,) in cursor.fetchall()]
            cursor.execute(JUDGE_SOON, people)
        left = Membership.objects.filter(contact_id=source_id)
        dropped = [
            [segment_id, entered_at.isoformat()]
            for segment_id, entered_at in left.values_list("segment_id", "entered_at")
        ]
        left.delete()
        changes = MembershipChange.objects.filter(contact_id=source_id)
        change_ids = list(changes.values_list("pk", flat=True))
        changes.update(contact_id=target_id)
        forget_clocks(source_id)
        return {"memberships": moved, "dropped": dropped, "changes": change_ids}

    def export(self, contact_id: int) -> Mapping[str, Any]:
        members = Membership.objects.for_contact(contact_id)
        changes = MembershipChange.objects.filter(contact_id=contact_id)
        return {
            "segments": [
                {"name": row.segment.name, "since": row.entered_at.isoformat()}
                for row in members
            ],
            "changes": [
                {
                    "segment": row.segment.name,
                    "action": row.action,
                    "at": row.at.isoformat(),
                    "reason": row.reason,
                }
                for row in changes.select_related("segment").order_by("pk")
            ],
        }

    def erase(self, contact_id: int) -> Mapping[str, int]:
        members, _ = Membership.objects.filter(contact_id=contact_id).delete()
        changes, _ = MembershipChange.objects.filter(contact_id=contact_id).delete()
        forget_clocks(contact_id)
        return {"segments.membership": members, "segments.membershipchange": changes}


def forget_clocks(contact_id: int) -> None:
    ContactClock.objects.filter(contact_id=contact_id).delete()
    JudgedContact.objects.filter(contact_id=contact_id).delete()
