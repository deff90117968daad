"""Feeds: addresses of RSS or Atom that fill a catalog by themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.catalog import Catalog


class FeedQuerySet(models.QuerySet["Feed"]):
    def due(self, at: datetime) -> Self:
        return self.filter(is_active=True, next_fetch_at__lte=at)

    def claim(self, feed: Feed, *, until: datetime) -> bool:
        """Take it in hand, alone: its next turn is set before it is asked."""
        mine = self.filter(pk=feed.pk, next_fetch_at=feed.next_fetch_at)
        return bool(mine.update(next_fetch_at=until))


class Feed(models.Model):
    """A feed, when it is asked next, and what came of the last time."""

    class Result(models.TextChoices):
        WAITING = "waiting", "not asked yet"
        READ = "read", "read"
        UNCHANGED = "unchanged", "unchanged"
        FAILED = "failed", "failed"

    catalog = models.ForeignKey(Catalog, models.PROTECT, related_name="feeds")
    url = models.CharField("address", max_length=2000)
    every_min = models.PositiveIntegerField(
        "every (minutes)",
        default=30,
        validators=[MinValueValidator(5), MaxValueValidator(10_080)],
    )
    is_active = models.BooleanField("active", default=True)
    # What the server said of its last answer, told back so that it may say "unchanged".
    etag = models.CharField(max_length=500, blank=True, editable=False)
    last_modified = models.CharField(max_length=100, blank=True, editable=False)
    next_fetch_at = models.DateTimeField(default=timezone.now, editable=False)
    result = models.CharField(
        max_length=16, choices=Result.choices, default=Result.WAITING, editable=False
    )
    error = models.CharField(max_length=500, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    fetched_at = models.DateTimeField(null=True, editable=False)
    # Null: what it holds is older than our interest in it, and is told to nobody.
    first_read_at = models.DateTimeField(null=True, editable=False)
    # Of the last time that it was read.
    entries = models.PositiveIntegerField(default=0, editable=False)
    entries_new = models.PositiveIntegerField("new", default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = FeedQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["catalog", "url"], name="feed_once_a_catalog"
            ),
            models.CheckConstraint(
                condition=Q(every_min__gte=5), name="feed_every_5_minutes_at_most"
            ),
        ]
        indexes = [
            # crm.catalog.feeds: who is asked next
            models.Index(
                fields=["next_fetch_at"],
                name="feed_due",
                condition=Q(is_active=True),
            ),
        ]

    def __str__(self) -> str:
        return self.url
