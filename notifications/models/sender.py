"""Senders: the account a message leaves from, one per channel and brand."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from crm.models.secret import EncryptedTextField
from notifications.models.channel import Channel


class SenderQuerySet(models.QuerySet["Sender"]):
    def active(self) -> Self:
        return self.filter(paused_at=None)

    def default_for(self, channel: str) -> Sender | None:
        """The sender a campaign of this channel gets when it names none."""
        return self.filter(channel=channel).order_by("-is_default", "pk").first()


class Sender(models.Model):
    """Credentials and rate of one provider account.

    `tokens` and `refilled_at` are a token bucket shared by all workers: messages
    that may leave now, refilled by `rate_per_min`.
    """

    class Kind(models.TextChoices):
        FCM = "fcm", "Firebase Cloud Messaging"
        SANDBOX = "sandbox", "Sandbox (built in, sends nothing outside)"

    name = models.CharField(max_length=100, unique=True)
    brand = models.ForeignKey("crm.Brand", models.PROTECT, related_name="senders")
    channel = models.CharField(max_length=16, choices=Channel.choices)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # A service account's JSON for FCM; '' for the sandbox.
    credentials = EncryptedTextField(blank=True)
    is_default = models.BooleanField(default=False)
    rate_per_min = models.PositiveIntegerField(default=300_000)
    tokens = models.FloatField(default=0, editable=False)
    refilled_at = models.DateTimeField(null=True, editable=False)
    # The newest answers, '.' or 'x' where the provider failed, kept from the first
    # failure on: what one batch alone is too small to show.
    recent_answers = models.CharField(
        max_length=100, blank=True, db_default="", default="", editable=False
    )
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_reason = models.CharField(max_length=300, blank=True, editable=False)

    objects = SenderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel"],
                condition=Q(is_default=True),
                name="sender_one_default_per_channel",
            ),
            models.CheckConstraint(
                condition=Q(rate_per_min__gt=0), name="sender_rate_above_0"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def pause(self, *, at: datetime, reason: str) -> None:
        """Stop sending from this account until staff resume it."""
        self.paused_at, self.paused_reason = at, reason[:300]
        self.save(update_fields=["paused_at", "paused_reason"])

    pause.alters_data = True  # type: ignore[attr-defined]

    def resume(self) -> None:
        self.paused_at, self.paused_reason = None, ""
        self.save(update_fields=["paused_at", "paused_reason"])

    resume.alters_data = True  # type: ignore[attr-defined]


class BreakerQuerySet(models.QuerySet["Breaker"]):
    def blocking(self, at: datetime) -> Self:
        return self.filter(open_until__gt=at)


class Breaker(models.Model):
    """Open while a provider, or one platform behind it, cannot be used.

    While open no claim is made for it; when `open_until` has passed, the next
    batch is the probe that closes it or opens it again.
    """

    sender = models.ForeignKey(Sender, models.CASCADE, related_name="breakers")
    # '' for the whole sender, or 'ios', 'android', 'web'.
    platform = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    open_until = models.DateTimeField()
    openings = models.PositiveIntegerField(default=1)

    objects = BreakerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "platform"], name="breaker_one_per_platform"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sender} {self.platform}: {self.reason}"
