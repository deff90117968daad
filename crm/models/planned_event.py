"""The tracking plan: which events should come, what with, and who answers for them."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, OuterRef, Subquery, Value, When
from django.utils import timezone

from crm.models.data_fix import DataFix
from crm.models.event import EventName


class PlannedEventQuerySet(models.QuerySet["PlannedEvent"]):
    def with_status(self) -> Self:
        """`status` follows from what comes: nobody sets it, so that it is true."""
        status = PlannedEvent.Status
        seen = find_seen()
        return self.annotate(
            last_seen_at=Subquery(seen.values("last_seen_at")[:1]),
            status=Case(
                When(Exists(find_blocks()), then=Value(status.BLOCKED.value)),
                When(Exists(seen), then=Value(status.LIVE.value)),
                default=Value(status.PLANNED.value),
            ),
        )

    def never_seen(self) -> Self:
        """Those of the status planned."""
        return self.exclude(Exists(find_seen())).exclude(Exists(find_blocks()))


def find_blocks() -> models.QuerySet[DataFix]:
    blocks = DataFix.objects.standing().order_by()
    return blocks.filter(kind=DataFix.Kind.BLOCK, name=OuterRef("name"))


def find_seen() -> models.QuerySet[EventName]:
    return EventName.objects.filter(name=OuterRef("name"))


class PlannedEvent(models.Model):
    """One event of the plan.

    `properties`: a list of `{"name", "type", "required"}` (`crm.quality.expectations`);
    what is not in it is unknown.
    """

    class Status(models.TextChoices):
        """Never seen, seen, or refused by a fix of data."""

        PLANNED = "planned"
        LIVE = "live"
        BLOCKED = "blocked"

    name = models.CharField("event", max_length=200, unique=True)
    description = models.TextField(blank=True)
    # Whom to ask, and who hears of what is wrong.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        limit_choices_to={"is_staff": True},
    )
    properties = models.JSONField(default=list, blank=True)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PlannedEventQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
