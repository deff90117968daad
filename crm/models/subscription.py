"""Subscriptions: what events said of each, and how it stands."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from crm.models.contact import Contact
from crm.models.purchase import MAX_NUMBER, Entry


class SubscriptionEntry(Entry):
    """One word about a subscription; null and '' say nothing.

    `by_time` ones are ours: nobody said anything until the moment came.
    """

    class Kind(models.TextChoices):
        TRIAL_STARTED = "trial_started"
        TRIAL_ENDED = "trial_ended"
        STARTED = "started"
        CONVERTED = "converted", "trial converted"
        RENEWED = "renewed"
        CHANGED = "changed"
        PAYMENT_FAILED = "payment_failed"
        PAUSED = "paused"
        RESUMED = "resumed"
        CANCELLED = "cancelled"
        EXPIRED = "expired"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    by_time = models.BooleanField(default=False)
    status = models.CharField(max_length=16, blank=True)
    plan = models.CharField(max_length=MAX_NUMBER, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    interval = models.CharField(max_length=8, blank=True)
    trial_ends_at = models.DateTimeField(null=True)
    renews_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event_id"], name="subscriptionentry_once_an_event"
            ),
        ]
        indexes = [
            # purchases.keeping: all that was said of a subscription
            models.Index(fields=["contact", "number"], name="subscriptionentry_of_one"),
        ]


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def due(self, at: datetime) -> Self:
        """About which time alone has something to say; reads the partial index."""
        return self.filter(due_at__lte=at).order_by("due_at")

    def for_contact(self, contact_id: int) -> Self:
        """Newest first."""
        return self.filter(contact=contact_id).order_by("-last_at", "-pk")

    def in_status(self, status: str) -> Self:
        """All where it is empty."""
        return self.filter(status=status) if status else self

    def of_external_id(self, external_id: str) -> Self:
        """All where it is empty; a merged contact's id leads to who it became."""
        rows = self.select_related("contact").order_by("-pk")
        if not external_id:
            return rows
        return rows.filter(
            contact__identifiers__kind="external_id",
            contact__identifiers__value=external_id,
        )


class Subscription(models.Model):
    """How a subscription stands; the newest word of each column, by the event's time.

    Folded from its entries by `crm.purchases`, and by nothing else. `amount` is in
    major units of `currency` for each `interval`.
    """

    class Status(models.TextChoices):
        TRIALING = "trialing"
        ACTIVE = "active"
        PAST_DUE = "past_due"
        PAUSED = "paused"
        CANCELLED = "cancelled"
        EXPIRED = "expired"
        UNKNOWN = "unknown"

    class Interval(models.TextChoices):
        DAY = "day"
        WEEK = "week"
        MONTH = "month"
        YEAR = "year"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    number = models.CharField(max_length=MAX_NUMBER)
    status = models.CharField(max_length=16, choices=Status.choices)
    plan = models.CharField(max_length=MAX_NUMBER, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    interval = models.CharField(max_length=8, blank=True, choices=Interval.choices)
    started_at = models.DateTimeField()
    trial_ends_at = models.DateTimeField(null=True)
    renews_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField()
    # Time has told everything up to here; null: nothing yet.
    told_until = models.DateTimeField(null=True, editable=False)
    # When time alone has something to say next; null: never.
    due_at = models.DateTimeField(null=True, editable=False)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "number"], name="subscription_once_a_contact"
            ),
        ]
        indexes = [
            # purchases.due: what the tick takes
            models.Index(
                fields=["due_at"],
                name="subscription_due",
                condition=Q(due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.number
