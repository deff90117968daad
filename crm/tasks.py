"""Ticks of the system of record; each is one call and safe to run twice."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from crm.events.retention import forget_messages, prepare_months
from crm.events.unmerge import forget_journals


@shared_task(name="crm.tasks.maintain")
def maintain() -> None:
    """Hourly: partitions kept ahead, old message keys and journals forgotten."""
    now = timezone.now()
    prepare_months(now=now)
    forget_messages(now=now)
    forget_journals(now=now)
