"""Exports: who may fetch which rows, why, and until when."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

LINK_HOURS = 24


def make_token() -> str:
    return secrets.token_urlsafe(24)


def find_end() -> datetime:
    return timezone.now() + timedelta(hours=LINK_HOURS)


class ExportLinkQuerySet(models.QuerySet["ExportLink"]):
    def open_to(self, owner_id: int, at: datetime) -> Self:
        """Links of this member of staff that still lead somewhere."""
        return self.filter(owner_id=owner_id, expires_at__gt=at)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class ExportLink(models.Model):
    """A link to rows, for its owner alone, for LINK_HOURS. No file is kept: the rows
    are read when they are fetched."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "Excel (XLSX)"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    token = models.CharField(max_length=64, unique=True, default=make_token)
    # A name of crm.ports.sheets.
    sheet = models.CharField(max_length=32)
    format = models.CharField(max_length=8, choices=Format.choices)
    # Slug of the segment whose people alone are meant; '' for everybody.
    segment = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=find_end)
    fetched_at = models.DateTimeField(null=True, blank=True)

    objects = ExportLinkQuerySet.as_manager()

    class Meta:
        verbose_name = "export"

    def __str__(self) -> str:
        return f"{self.sheet}.{self.format}"
