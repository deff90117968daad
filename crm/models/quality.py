"""What the data quality page reads: counts by day, kinds of properties, refusals,
contacts that may be the same person. None of it is the record of anything: all but
the dismissals could be counted again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Max, Min, Q, Sum
from django.utils import timezone

from crm.models.contact import Contact

# A day is judged by the four weeks before it; one week more is kept.
KEEP_DAYS = 36
REJECTED_KEEP_DAYS = 7
KIND_KEEP_DAYS = 30


class CountedDay(models.Model):
    """A day (UTC, by `occurred_at`) whose events were counted, and when."""

    counted_on = models.DateField(unique=True)
    counted_at = models.DateTimeField(default=timezone.now)
    events = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.counted_on} {self.events}"


class EventDayQuerySet(models.QuerySet["EventDay"]):
    def between(self, first: date, last: date) -> Self:
        return self.filter(counted_on__gte=first, counted_on__lte=last)

    def by_name(self) -> models.QuerySet[EventDay, tuple[str, date, int]]:
        rows = self.order_by("name", "counted_on").values("name", "counted_on")
        return rows.annotate(total=Sum("events")).values_list(
            "name", "counted_on", "total"
        )

    def by_client(self) -> models.QuerySet[EventDay, tuple[str, str, int, int]]:
        rows = self.order_by("source", "library").values("source", "library")
        return rows.annotate(total=Sum("events"), ahead=Sum("skewed")).values_list(
            "source", "library", "total", "ahead"
        )


class EventDay(models.Model):
    """How many events of one name a client sent on one day.

    A day keeps its most frequent combinations only (`crm.quality.counting`).
    """

    counted_on = models.DateField()
    name = models.CharField(max_length=200)
    source = models.CharField(max_length=32)
    # `context.library.name`; '' where the client does not say.
    library = models.CharField(max_length=64, blank=True)
    events = models.BigIntegerField()
    # Of these, whose clock was ahead so far that the time was cut.
    skewed = models.BigIntegerField(default=0)

    objects = EventDayQuerySet.as_manager()

    class Meta:
        verbose_name = "data quality"
        verbose_name_plural = "data quality"
        constraints = [
            models.UniqueConstraint(
                fields=["counted_on", "name", "source", "library"],
                name="eventday_counted_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.counted_on} {self.name} {self.events}"


class PropertyKindQuerySet(models.QuerySet["PropertyKind"]):
    def seen_since(self, at: datetime) -> Self:
        return self.filter(last_seen_at__gte=at)

    def unseen(self, at: datetime) -> Self:
        return self.filter(last_seen_at__lt=at - timedelta(days=KIND_KEEP_DAYS))


class PropertyKind(models.Model):
    """One kind of value that a property of an event ever had.

    Written at ingest when it is news, then at most once an hour and process. Two
    kinds of one property are a property that changes its type.
    """

    class Kind(models.TextChoices):
        TEXT = "text"
        NUMBER = "number"
        YES_NO = "yes_no", "yes or no"
        LIST = "list"
        OBJECT = "object"

    name = models.CharField(max_length=200)
    property = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    objects = PropertyKindQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "property", "kind"], name="propertykind_once"
            ),
        ]
        indexes = [
            # crm.quality.report: what was seen lately; crm.tasks.maintain: what was not
            models.Index(fields=["last_seen_at"], name="propertykind_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.name}.{self.property}: {self.kind}"


class RejectedItemQuerySet(models.QuerySet["RejectedItem"]):
    def too_old(self, on: date) -> Self:
        return self.filter(seen_on__lte=on - timedelta(days=REJECTED_KEEP_DAYS))

    def by_reason(self) -> models.QuerySet[RejectedItem, dict[str, Any]]:
        """The days of each reason added up, the most frequent first."""
        rows = self.order_by("source", "code", "path").values("source", "code", "path")
        return rows.annotate(
            total=Sum("count"),
            first=Min("first_at"),
            last=Max("last_at"),
            newest=Max("pk"),
        ).order_by("-total", "source", "code", "path")


class RejectedItem(models.Model):
    """Calls refused on one day for one reason at one place, and one of them, masked."""

    seen_on = models.DateField()
    source = models.CharField(max_length=32)
    code = models.CharField(max_length=64)
    # Without indexes: `properties.items[].price`; '' where the whole call is meant.
    path = models.CharField(max_length=200, blank=True)
    message = models.CharField(max_length=300)
    # Letters and digits are masked: nobody can be found, or erased, in here.
    sample = models.CharField(max_length=600, blank=True)
    count = models.BigIntegerField(default=1)
    first_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)

    objects = RejectedItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["seen_on", "source", "code", "path"],
                name="rejecteditem_once_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.code} {self.path}"


class DuplicateSuspectQuerySet(models.QuerySet["DuplicateSuspect"]):
    def open(self) -> Self:
        """Nobody said that they are two people, and both are still there."""
        both = Q(first__canonical=None, first__erased_at=None) & Q(
            second__canonical=None, second__erased_at=None
        )
        return self.filter(both, dismissed_at=None)

    def of_contact(self, contact_id: int) -> Self:
        return self.filter(Q(first_id=contact_id) | Q(second_id=contact_id))


class DuplicateSuspect(models.Model):
    """Two contacts that may be one person; `first` is the older one.

    Dismissed by staff it stays, so that it is not suspected again.
    """

    class Reason(models.TextChoices):
        EMAIL = "email", "same e-mail"
        PHONE = "phone", "same phone number"
        NAME_DEVICE = "name_device", "same name and device"

    first = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    second = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    reason = models.CharField(max_length=16, choices=Reason.choices)
    found_at = models.DateTimeField(default=timezone.now)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )

    objects = DuplicateSuspectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second"], name="duplicatesuspect_once"
            ),
            models.CheckConstraint(
                condition=Q(first__lt=F("second")), name="duplicatesuspect_ordered"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first_id} = {self.second_id}? {self.reason}"
