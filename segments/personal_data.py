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
WITH older AS (
  SELECT t.id, t.entered_at AS was, m.entered_at AS kept
  FROM segments_membership t JOIN segments_membership m USING (segment_id)
  WHERE t.contact_id = %(target)s AND m.contact_id = %(source)s
    AND m.entered_at < t.entered_at)
UPDATE segments_membership t SET entered_at = older.kept
FROM older WHERE t.id = older.id
RETURNING t.id, older.was, older.kept
"""
# Whatever the order in which the other holders move their facts: the next tick
# judges the merged contact in every live segment.
JUDGE_SOON = """
INSERT INTO segments_contactclock (segment_id, contact_id, next_change_at)
SELECT s.id, %(contact)s, clock_timestamp() FROM segments_segment s
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
    # They follow from facts, by rules.
    derived: Sequence[str] = models

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        people = {"source": source_id, "target": target_id}
        with connection.cursor() as cursor:
            cursor.execute(KEEP_OLDER, people)
            dated = [
                [pk, was.isoformat(), kept.isoformat()]
                for pk, was, kept in cursor.fetchall()
            ]
            cursor.execute(MOVE_MEMBERSHIPS, people)
            moved = [pk for (pk,) in cursor.fetchall()]
        judge_soon(target_id)
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
        return {
            "memberships": moved,
            "dated": dated,
            "dropped": dropped,
            "changes": change_ids,
        }

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        """Memberships stand as they stood, so that nobody enters anew; then both are
        judged by what is theirs now."""
        for model, ids in (
            (Membership, journal["memberships"]),
            (MembershipChange, journal["changes"]),
        ):
            rows = model._default_manager.filter(pk__in=ids, contact_id=target_id)
            rows.update(contact_id=source_id)
        for pk, was, kept in journal["dated"]:
            same = Membership.objects.filter(pk=pk, entered_at=kept)
            same.update(entered_at=was)
        Membership.objects.bulk_create(
            (
                Membership(segment_id=pk, contact_id=source_id, entered_at=at)
                for pk, at in journal["dropped"]
            ),
            ignore_conflicts=True,
        )
        for contact_id in (source_id, target_id):
            judge_soon(contact_id)

    def count(self, contact_id: int) -> Mapping[str, int]:
        members = Membership.objects.filter(contact_id=contact_id)
        return {"memberships in segments": members.count()}

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


def judge_soon(contact_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(JUDGE_SOON, {"contact": contact_id})


def forget_clocks(contact_id: int) -> None:
    ContactClock.objects.filter(contact_id=contact_id).delete()
    JudgedContact.objects.filter(contact_id=contact_id).delete()
