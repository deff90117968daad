"""Topics: what a person can choose to hear about."""

from __future__ import annotations

from typing import Self

from django.db import models

from preferences.levels import TopicRule
from preferences.models.center import PreferenceCenter


class TopicQuerySet(models.QuerySet["Topic"]):
    def shown(self) -> Self:
        """Topics people see, in the order of the page."""
        return self.filter(is_active=True).order_by("position", "pk")


class Topic(models.Model):
    """One subject of a center. Never deleted: the ledger points at it.

    `number` is the id in Customer.io's shape (`topic_3`), `key` our own; both
    stay when the name changes.
    """

    class Default(models.TextChoices):
        OPT_IN = "opt_in", "Off until they choose it"
        OPT_OUT = "opt_out", "On until they refuse it"

    center = models.ForeignKey(PreferenceCenter, models.PROTECT, related_name="topics")
    key = models.SlugField(max_length=60)
    number = models.PositiveIntegerField(editable=False)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    default = models.CharField(
        max_length=8, choices=Default.choices, default=Default.OPT_IN
    )
    is_transactional = models.BooleanField(
        "service messages",
        default=False,
        help_text="Messages people need, such as order updates: sent without opt-in.",
    )
    is_active = models.BooleanField("shown", default=True)

    objects = TopicQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "key"], name="topic_key_is_unique"
            ),
            models.UniqueConstraint(
                fields=["center", "number"], name="topic_number_is_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """The id other systems use: rename-safe."""
        return f"topic_{self.number}"

    @property
    def purpose(self) -> str:
        return "transactional" if self.is_transactional else "promotional"

    @property
    def rule(self) -> TopicRule:
        return TopicRule(
            id=self.pk,
            is_default_on=self.default == self.Default.OPT_OUT,
            is_transactional=self.is_transactional,
            is_active=self.is_active,
        )
