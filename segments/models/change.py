"""Entered and left: the history, and the outbox that triggers campaigns."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.fields.tuple_lookups import TupleLessThan
from django.utils import timezone

from crm.models import Contact
from segments.models.segment import Segment, SegmentVersion


class MembershipChangeQuerySet(models.QuerySet["MembershipChange"]):
    def unhandled(self) -> Self:
        """Not yet taken up by triggers, in the order they were written.

        Claim with `select_for_update(skip_locked=True)`, act, then `mark_handled`,
        all in one transaction: each change takes effect once.
        """
        return self.filter(handled_at=None).order_by("pk")

    def claim_unhandled(self, limit: int) -> list[MembershipChange]:
        """Lock the next changes nobody else is handling."""
        return list(self.unhandled().select_for_update(skip_locked=True)[:limit])

    def mark_handled(self, at: datetime) -> int:
        return self.filter(handled_at=None).update(handled_at=at)

    def entered(self) -> Self:
        return self.filter(action=MembershipChange.Action.ENTERED)

    def latest_of(self, segment: Segment) -> Self:
        """The newest comings and goings of one segment."""
        rows = self.filter(segment=segment).order_by("-at", "-pk")
        return rows.select_related("contact")

    def before(self, at: datetime, pk: int) -> Self:
        """What stands behind this one in `latest_of`. Compared as one row, so that the
        index starts there: a build writes a million changes at one moment."""
        return self.filter(TupleLessThan((F("at"), F("pk")), (at, pk)))

    def newest_of_contact(self, contact_id: int) -> Self:
        """The last change of one contact in each segment."""
        rows = self.filter(contact_id=contact_id)
        return rows.order_by("segment_id", "-at", "-pk").distinct("segment_id")

    def of_contact(self, contact_id: int, *, before: datetime) -> Self:
        """Newest first, for the timeline."""
        rows = self.filter(contact_id=contact_id, at__lt=before)
        return rows.select_related("segment").order_by("-at", "-pk")


class MembershipChange(models.Model):
    """One contact entered or left one segment: when, why, under which rule.

    Append-only but for `handled_at`, which is null while triggers have yet to see
    the row. Entries of a segment's first build are born handled: people who are
    in a segment when it is made have not entered it. So are changes by a build of
    the lifecycle's stages.
    """

    class Action(models.TextChoices):
        ENTERED = "entered"
        LEFT = "left"

    segment = models.ForeignKey(
        Segment,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="changes",
    )
    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="segment_changes",
    )
    action = models.CharField(max_length=8, choices=Action.choices)
    at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=300)
    # Null for changes by hand in a static segment.
    version = models.ForeignKey(
        SegmentVersion,
        models.CASCADE,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    handled_at = models.DateTimeField(null=True, blank=True)

    objects = MembershipChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=["entered", "left"]),
                name="membershipchange_action_known",
            ),
        ]
        indexes = [
            # claim_unhandled: the outbox, in order
            models.Index(
                fields=["id"],
                name="membershipchange_unhandled",
                condition=Q(handled_at=None),
            ),
            # contact page: the timeline
            models.Index(fields=["contact", "-at"], name="membershipchange_timeline"),
            # segment pages and API: comings and goings, the latest first; a build
            # writes up to a million at one moment, so the id is part of the order
            models.Index(
                fields=["segment", "-at", "-id"], name="membershipchange_feed"
            ),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} {self.action} segment {self.segment_id}"
