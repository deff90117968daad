"""Kill switches: one row stops everything, a channel or a sender."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class SwitchQuerySet(models.QuerySet["Switch"]):
    def stopped_scopes(self) -> dict[str, str]:
        """Scopes that are off, each with its reason."""
        return dict(self.values_list("scope", "reason"))


class Switch(models.Model):
    """Present = off. Scopes: "all", "channel:<channel>", "sender:<id>"."""

    ALL = "all"

    scope = models.CharField(max_length=64, unique=True)
    reason = models.CharField(max_length=300, blank=True)
    stopped_at = models.DateTimeField(default=timezone.now)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )

    objects = SwitchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "kill switches"

    def __str__(self) -> str:
        return f"{self.scope} is off"
