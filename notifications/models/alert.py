"""What needs a human: one open row per cause."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> Self:
        return self.filter(resolved_at=None)

    def raise_once(self, *, cause: str, text: str, url: str = "") -> None:
        """Open an alert for this cause unless one is open."""
        self.bulk_create(
            [self.model(cause=cause, text=text, url=url)], ignore_conflicts=True
        )

    def resolve(self, cause: str) -> int:
        return self.open().filter(cause=cause).update(resolved_at=timezone.now())


class Alert(models.Model):
    """A fault or a decision that waits for staff, shown on the dashboard."""

    # e.g. "sender:3:config", "campaign:12:failing"
    cause = models.CharField(max_length=100)
    text = models.CharField(max_length=500)
    url = models.CharField(max_length=300, blank=True)
    raised_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cause"], condition=Q(resolved_at=None), name="alert_open_once"
            ),
        ]

    def __str__(self) -> str:
        return self.text
