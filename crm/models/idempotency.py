"""Answers kept for callers who may ask the same twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

LIFE = timedelta(hours=24)


class IdempotentCallQuerySet(models.QuerySet["IdempotentCall"]):
    def forget_old(self, *, now: datetime) -> int:
        return self.filter(created_at__lte=now - LIFE).delete()[0]


class IdempotentCall(models.Model):
    """One call with an Idempotency-Key that had its effect, and what was answered.

    Written in the transaction of the effect: there is never one without the other.
    """

    # Of the caller and the key, so that two callers may choose the same one.
    key_hash = models.CharField(max_length=64, primary_key=True)
    # Of method, path and body: the same key with another call is a mistake.
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = IdempotentCallQuerySet.as_manager()

    def __str__(self) -> str:
        return self.key_hash
