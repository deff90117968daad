"""Merges: two contacts became one, who said so, and what an undo gives back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from crm.models.contact import Contact

# A merge can be undone this long; then its journal is deleted.
UNDO_DAYS = 30


class MergeQuerySet(models.QuerySet["Merge"]):
    def standing(self) -> Self:
        """Not undone."""
        return self.filter(undone_at=None)

    def of_contact(self, contact_id: int) -> Self:
        """Those that this contact took in or went away by, newest first."""
        mine = Q(source_id=contact_id) | Q(target_id=contact_id)
        return self.filter(mine).newest_first()

    def later_than(self, merge: Merge) -> Self:
        """Standing merges into the same contact, in the order they were made."""
        rows = self.standing().filter(target=merge.target_id, pk__gt=merge.pk)
        return rows.order_by("pk")

    def of_searched(self, text: str) -> Self:
        """Those into contacts that a search means; all where it is empty."""
        if not text.strip():
            return self
        return self.filter(target__in=Contact.objects.all().find_ids(text))

    def newest_first(self) -> Self:
        return self.select_related("source", "target").order_by("-pk")


class Merge(models.Model):
    """`source` was folded into `target`. The row stays; its journal goes after
    UNDO_DAYS, or with the erasure of either contact."""

    source = models.ForeignKey(Contact, models.PROTECT, related_name="merges_away")
    target = models.ForeignKey(Contact, models.PROTECT, related_name="merges_taken")
    made_at = models.DateTimeField(default=timezone.now)
    # A member of staff, "api:<key prefix>", or "rule": an identify or alias call.
    made_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=150, blank=True)

    objects = MergeQuerySet.as_manager()

    class Meta:
        indexes = [
            # crm.tasks.maintain: journals that came of age
            models.Index(fields=["made_at"], name="merge_made_at"),
        ]
        constraints = [
            # Also the look-up of a contact that is gone.
            models.UniqueConstraint(
                fields=["source"], condition=Q(undone_at=None), name="merge_away_once"
            ),
            models.CheckConstraint(
                condition=~Q(source=F("target")), name="merge_of_two_contacts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"

    @property
    def undo_until(self) -> datetime:
        return self.made_at + timedelta(days=UNDO_DAYS)


class MergeJournalQuerySet(models.QuerySet["MergeJournal"]):
    def too_old(self, at: datetime) -> Self:
        """Of merges that nobody can undo any more."""
        return self.filter(merge__made_at__lt=at - timedelta(days=UNDO_DAYS))

    def of_contact(self, contact_id: int) -> Self:
        mine = Q(merge__source_id=contact_id) | Q(merge__target_id=contact_id)
        return self.filter(mine)

    def of_profiles(self, merges: models.QuerySet[Merge]) -> Self:
        """What these merges did to the contacts' own columns and traits."""
        return self.filter(merge__in=merges, holder=MergeJournal.PROFILE)


class MergeJournal(models.Model):
    """What one holder of personal data moved, as an undo needs it."""

    PROFILE = "profile"

    merge = models.ForeignKey(Merge, models.CASCADE, related_name="journals")
    # Class name of the holder; PROFILE for the contact's own columns.
    holder = models.CharField(max_length=64)
    moved = models.JSONField(default=dict)

    objects = MergeJournalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["merge", "holder"], name="merge_journal_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merge_id} {self.holder}"
