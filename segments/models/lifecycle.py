"""The lifecycle: its stages as staff edited them, and who is in which."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models import Contact
from segments.rules.stages import Stage, read_stages


class LifecycleQuerySet(models.QuerySet["Lifecycle"]):
    def current(self) -> Lifecycle | None:
        """The newest version; None before the first."""
        return self.order_by("-number").first()

    def next_to_build(self) -> Lifecycle | None:
        """The newest version, locked, where it waits for a build that nobody does."""
        rows = self.order_by("-number")
        found = rows.select_for_update(skip_locked=True, no_key=True).first()
        newest = rows.values_list("number", flat=True).first()
        if found is None or found.number != newest or found.built_at is not None:
            return None
        return found


class Lifecycle(models.Model):
    """One version of the stages; never changed but for the progress of its build.

    `stages` is what `segments.rules.stages` reads. The newest version judges.
    """

    number = models.PositiveIntegerField(unique=True)
    stages = models.JSONField()
    # Null while contacts are still judged by an older version.
    built_at = models.DateTimeField(null=True, editable=False)
    # The last contact done, and the last one there was when the build began.
    done_to = models.BigIntegerField(default=0, editable=False)
    goal = models.BigIntegerField(default=0, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = LifecycleQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "lifecycle"
        constraints = [
            models.CheckConstraint(
                condition=Q(number__gte=1), name="lifecycle_number_from_1"
            ),
        ]

    def __str__(self) -> str:
        return f"Lifecycle v{self.number}"

    def parsed(self) -> tuple[Stage, ...]:
        return read_stages(self.stages)

    @property
    def progress_pct(self) -> int:
        if self.built_at is not None:
            return 100
        return min(99, self.done_to * 100 // self.goal) if self.goal else 0

    def note_progress(self, contact_id: int) -> None:
        self.done_to = contact_id
        self.save(update_fields=["done_to"])

    def finish(self, *, at: datetime) -> None:
        self.built_at = at
        self.save(update_fields=["built_at"])


class ContactStage(models.Model):
    """The one stage a contact is in, since when and why."""

    contact = models.OneToOneField(
        Contact,
        models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )
    stage = models.CharField(max_length=50)
    since = models.DateTimeField()
    reason = models.CharField(max_length=300)

    class Meta:
        indexes = [
            # segments: who is in a stage, and since when
            models.Index(fields=["stage", "since"], name="contactstage_of_stage"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} is {self.stage}"


class StageChangeQuerySet(models.QuerySet["StageChange"]):
    def of_contact(self, contact_id: int, *, before: datetime) -> Self:
        """Newest first, for the timeline."""
        rows = self.filter(contact_id=contact_id, at__lt=before)
        return rows.order_by("-at", "-pk")


class StageChange(models.Model):
    """One contact came from one stage into another; '' is none. Append-only."""

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    was = models.CharField(max_length=50, blank=True)
    now = models.CharField(max_length=50, blank=True)
    at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    version = models.PositiveIntegerField()

    objects = StageChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(was=models.F("now")), name="stagechange_is_a_change"
            ),
        ]
        indexes = [
            # contact page: the history
            models.Index(fields=["contact", "-at"], name="stagechange_of_contact"),
            # lifecycle page: moves by week
            models.Index(fields=["at"], name="stagechange_by_time"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id}: {self.was or 'none'} → {self.now or 'none'}"


class StageClock(models.Model):
    """When time alone may move a contact to another stage (`crm.wakes`)."""

    version = models.ForeignKey(
        Lifecycle,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="clocks",
    )
    contact = models.ForeignKey(
        Contact, models.CASCADE, db_constraint=False, related_name="+"
    )
    next_change_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "contact"], name="stageclock_once"
            ),
        ]
        indexes = [
            # expire_stages: who is due, oldest first
            models.Index(fields=["next_change_at"], name="stageclock_due"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} at {self.next_change_at:%Y-%m-%d %H:%M:%S}"
