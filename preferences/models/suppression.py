"""Suppressions: addresses we must not use, whatever the person allows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from crm.models import Contact
from preferences.models.channel import Channel


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def live(self) -> Self:
        return self.filter(lifted_at=None)

    def of_contacts(self, contact_ids: Iterable[int]) -> Self:
        return self.filter(contact_id__in=list(contact_ids))

    def on_channel(self, channel: str) -> Self:
        """Those that stop this channel; '' stops all of them."""
        return self.filter(channel__in=["", channel])

    def move_live(self, source_id: int, target_id: int) -> list[int]:
        """Live rows follow a merge, except where the target has the same; answers
        the ids of those that moved."""
        held = self.live().filter(contact_id=target_id)
        same = held.filter(channel=OuterRef("channel"), reason=OuterRef("reason"))
        rows = self.live().filter(contact_id=source_id).exclude(Exists(same))
        ids = list(rows.values_list("pk", flat=True))
        self.filter(pk__in=ids).update(contact_id=target_id)
        return ids

    def move_back(self, ids: Iterable[int], source_id: int, target_id: int) -> int:
        """Rows that a merge moved return, lifted meanwhile or not."""
        rows = self.filter(pk__in=list(ids), contact_id=target_id)
        return rows.update(contact_id=source_id)

    def copy_live(self, source_id: int, target_id: int, *, since: datetime) -> None:
        """Stops that were put on the target since then hold for the source too."""
        fresh = self.live().filter(contact_id=target_id, at__gt=since)
        Suppression.objects.bulk_create(
            (
                Suppression(
                    contact_id=source_id,
                    channel=row.channel,
                    reason=row.reason,
                    note=row.note,
                    actor=row.actor,
                    at=row.at,
                )
                for row in fresh
            ),
            ignore_conflicts=True,
        )

    def newest_first(self) -> Self:
        return self.select_related("contact").order_by("-pk")


class Suppression(models.Model):
    """Kept apart from opt-out: a bounce is no wish, and a wish is no bounce.

    channel '' stops every channel. Lifted, never deleted.
    """

    class Reason(models.TextChoices):
        BOUNCE = "bounce", "Address bounced"
        COMPLAINT = "complaint", "Reported as spam"
        INVALID = "invalid", "Address is invalid"
        MANUAL = "manual", "Stopped by staff"
        REQUESTED = "requested", "Stopped over the API"
        IMPORTED = "imported", "Stopped in an earlier system"
        ERASED = "erased", "Asked to be forgotten"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="suppressions")
    channel = models.CharField(max_length=16, choices=Channel.choices, blank=True)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    note = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=150, editable=False)
    at = models.DateTimeField(default=timezone.now, editable=False)
    lifted_at = models.DateTimeField(null=True, editable=False)
    lifted_by = models.CharField(max_length=150, blank=True, editable=False)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        constraints = [
            # Also the gate's index: live suppressions of these contacts.
            models.UniqueConstraint(
                fields=["contact", "channel", "reason"],
                condition=Q(lifted_at=None),
                name="suppression_live_once",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at=None) | Q(lifted_at__gte=F("at")),
                name="suppression_lifted_after_made",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} ({self.channel or 'all channels'})"
