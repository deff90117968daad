"""Limits staff set once for all messages: quiet hours and frequency caps."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import F, Q

from notifications.models.channel import Channel


class QuietHours(models.Model):
    """Local hours in which no promotional message leaves.

    Half-open, [starts, ends), and may wrap midnight. `topic` null means all.
    """

    name = models.CharField(max_length=100)
    topic = models.ForeignKey(
        "preferences.Topic", models.CASCADE, null=True, blank=True
    )
    channel = models.CharField(max_length=16, choices=Channel.choices, blank=True)
    starts = models.TimeField(help_text="The person's local time.")
    ends = models.TimeField(help_text="The person's local time; may be after midnight.")

    class Meta:
        verbose_name_plural = "quiet hours"
        constraints = [
            models.CheckConstraint(
                condition=~Q(starts=F("ends")), name="quiethours_not_empty"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.starts:%H:%M}–{self.ends:%H:%M}"


class FrequencyCapQuerySet(models.QuerySet["FrequencyCap"]):
    def active(self) -> Self:
        return self.filter(is_active=True)


class FrequencyCap(models.Model):
    """At most `limit` promotional messages to one person per `n` `unit`s.

    Rolling windows are counted to the second; calendar ones in the person's own
    zone. A cooldown is the shortest gap between two messages of one channel.
    All active caps apply together.
    """

    class Kind(models.TextChoices):
        ROLLING = "rolling", "In any period of this length"
        CALENDAR = "calendar", "Per calendar day, week or month"
        COOLDOWN = "cooldown", "Shortest gap between two messages"

    class Unit(models.TextChoices):
        HOUR = "hour"
        DAY = "day"
        WEEK = "week"
        MONTH = "month"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    limit = models.PositiveIntegerField(default=1)
    n = models.PositiveIntegerField(default=1)
    unit = models.CharField(max_length=8, choices=Unit.choices, default=Unit.DAY)
    # '' and null: whatever the channel, whatever the topic.
    channel = models.CharField(max_length=16, choices=Channel.choices, blank=True)
    topic = models.ForeignKey(
        "preferences.Topic", models.CASCADE, null=True, blank=True
    )
    is_active = models.BooleanField(default=True)

    objects = FrequencyCapQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(n__gt=0), name="frequencycap_period_above_0"
            ),
        ]

    def __str__(self) -> str:
        return self.name
