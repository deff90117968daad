"""Who is in which segment now."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils import timezone

from crm.models import Contact
from segments.models.segment import Segment


class MembershipQuerySet(models.QuerySet["Membership"]):
    def of_segment(self, segment: Segment) -> Self:
        return self.filter(segment=segment)

    def for_contact(self, contact_id: int) -> Self:
        """The segments of one contact, by name."""
        rows = self.filter(contact_id=contact_id)
        return rows.select_related("segment__current_version").order_by("segment__name")

    def with_rules(self) -> Self:
        """Each row with what its segment asks."""
        return self.select_related("segment__current_version")

    def page_before(self, segment: Segment, contact_id: str) -> Self:
        """Members of a segment from this contact on downwards, newest first."""
        rows = self.of_segment(segment).newest_contacts_first()
        if contact_id.isdecimal() and len(contact_id) < 18:
            rows = rows.filter(contact_id__lt=int(contact_id))
        return rows.select_related("contact")

    def newest_contacts_first(self) -> Self:
        """For pages of members; reads the unique index backwards."""
        return self.order_by("-contact_id")


class Membership(models.Model):
    """One contact in one segment. Written as a diff, by `segments.membership`.

    Foreign keys without database constraints: each would cost every row of a
    million-row build a look-up. Contacts go only by erasure, which removes their
    rows here, and segments only with theirs.
    """

    segment = models.ForeignKey(
        Segment,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="memberships",
    )
    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="memberships",
    )
    entered_at = models.DateTimeField(default=timezone.now)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            # Its index also answers: who is in this segment
            models.UniqueConstraint(
                fields=["segment", "contact"], name="membership_once"
            ),
        ]
        indexes = [
            # contact page, API: the segments of one contact
            models.Index(fields=["contact"], name="membership_of_contact"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} in segment {self.segment_id}"
