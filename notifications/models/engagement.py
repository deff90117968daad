"""What came of a message: reports from devices, and goals reached."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Engagement(models.Model):
    """One report of a device, idempotent by (delivery, kind, client id)."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered"
        OPENED = "opened", "Opened (body tapped)"
        CLICKED = "clicked", "Clicked (button or link)"
        DISMISSED = "dismissed"

    delivery = models.ForeignKey("Delivery", models.CASCADE, related_name="engagements")
    contact = models.ForeignKey("crm.Contact", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # Names one report of one device; a repeat carries the same.
    client_id = models.CharField(max_length=100)
    # The client's clock, cut to ours where it is ahead.
    at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    button = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "kind", "client_id"], name="engagement_counted_once"
            ),
        ]
        indexes = [
            # contact page: what this person did with our messages
            models.Index(fields=["contact", "-at"], name="engagement_of_contact"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delivery_id}"


class Conversion(models.Model):
    """A goal event inside its window; one event may convert many campaigns."""

    delivery = models.ForeignKey("Delivery", models.CASCADE, related_name="conversions")
    campaign = models.ForeignKey("Campaign", models.CASCADE, related_name="+")
    contact = models.ForeignKey("crm.Contact", models.CASCADE, related_name="+")
    # Id and time, not a key: nothing points at the event table.
    event_id = models.UUIDField()
    event_at = models.DateTimeField()
    value = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    matched_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Once per person and campaign, at the first event that reaches it.
            models.UniqueConstraint(fields=["delivery"], name="conversion_once"),
        ]
        indexes = [
            # campaign report: conversions and revenue
            models.Index(
                fields=["campaign", "event_at"], name="conversion_of_campaign"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.event_at:%Y-%m-%d %H:%M}"
