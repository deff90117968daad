"""The projection of the ledger: what stands now, one row per level."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from django.db import models
from django.db.models import F

from crm.models import Contact
from preferences import levels
from preferences.ledger import Projection, Word
from preferences.models.center import PreferenceCenter
from preferences.models.channel import Channel
from preferences.models.topic import Topic


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def of_contacts(self, contact_ids: Iterable[int]) -> Self:
        return self.filter(contact_id__in=list(contact_ids))

    def in_center(self, center_id: int) -> Self:
        return self.filter(center_id=center_id)

    def widest_first(self) -> Self:
        """As people read them: master, channels, then topics."""
        rows = self.select_related("topic")
        return rows.order_by(F("topic").asc(nulls_first=True), "channel")

    def as_projection(self) -> Projection:
        """These rows (of one contact) in the ledger's own terms."""
        return {
            (row.center_id, row.level): Word(row.state, row.changed_at) for row in self
        }

    def as_said(self) -> dict[levels.Level, str]:
        """State by level, for rows of one contact in one center."""
        return {row.level: row.state for row in self}


class Subscription(models.Model):
    """A word at one level: master, channel, topic, or topic on a channel.

    channel '' means every channel, topic null every topic. No row means that
    nothing was said. Written by `preferences.consent` alone, with the contact
    locked, in the transaction of its ledger row.
    """

    class State(models.TextChoices):
        SUBSCRIBED = levels.SUBSCRIBED
        UNSUBSCRIBED = levels.UNSUBSCRIBED
        PENDING = levels.PENDING, "Waiting for confirmation"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="subscriptions")
    center = models.ForeignKey(PreferenceCenter, models.PROTECT)
    channel = models.CharField(max_length=16, choices=Channel.choices, blank=True)
    topic = models.ForeignKey(Topic, models.PROTECT, null=True, blank=True)
    state = models.CharField(max_length=16, choices=State.choices)
    changed_at = models.DateTimeField()

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        constraints = [
            # Also the gate's index: the rows of these contacts in a center.
            models.UniqueConstraint(
                fields=["contact", "center", "channel", "topic"],
                name="subscription_one_per_level",
                nulls_distinct=False,
            ),
        ]
        indexes = [
            # preferences.facts: everybody who said this at one level
            models.Index(
                fields=["center", "topic", "channel", "state"],
                include=["contact"],
                name="subscription_by_level",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.state}"

    @property
    def level(self) -> levels.Level:
        return self.channel, self.topic_id

    @property
    def subject(self) -> str:
        channel = self.get_channel_display() if self.channel else ""
        if self.topic_id:
            return f"{self.topic} · {channel}" if channel else str(self.topic)
        return channel or "All notifications"
