"""Ticks of the system of record; each is one call and safe to run twice."""

from __future__ import annotations

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from crm.bell import ring
from crm.catalog.announce import announce_next, forget_changes
from crm.catalog.feeds import fetch_next
from crm.clock import read_clock
from crm.events.retention import forget_messages, prepare_months
from crm.events.unmerge import forget_journals
from crm.imports.exports import forget_links
from crm.imports.jobs import forget_imports
from crm.imports.run import run_imports as take_imports
from crm.models import IdempotentCall, RateBucket
from crm.purchases.due import tell_due
from crm.quality.counting import count_due_days
from crm.quality.duplicates import find_duplicates
from crm.quality.retention import forget_findings

# A task ends well before the broker would think it lost.
BUDGET_S = 40.0
# Of one turn of an import, whose file is fetched anew for each.
IMPORT_BUDGET_S = 300.0
IMPORT_LIMITS_S = {"soft_time_limit": 540, "time_limit": 600}


@shared_task(name="crm.tasks.maintain")
def maintain() -> None:
    """Hourly: partitions kept ahead, what is old forgotten, duplicates looked for."""
    now = timezone.now()
    prepare_months(now=now)
    forget_messages(now=now)
    forget_journals(now=now)
    forget_changes(now=now)
    forget_findings(now=now)
    find_duplicates()
    forget_imports(now=now)
    forget_links(now=now)
    RateBucket.objects.forget_idle(now=now)
    IdempotentCall.objects.forget_old(now=now)


@shared_task(name="crm.tasks.announce_changes", soft_time_limit=110, time_limit=120)
def announce_changes() -> None:
    """Tell of what changed in catalogs; ring for the events, and for what is left."""
    ends, told = time.monotonic() + BUDGET_S, 0
    while not (piece := announce_next()).is_done:
        told += piece.events
        if time.monotonic() >= ends:
            ring(settings.CATALOG_BELL_TASK)
            break
    if told:
        ring(settings.INGEST_BELL_TASK)


@shared_task(name="crm.tasks.fetch_feeds", soft_time_limit=110, time_limit=120)
def fetch_feeds() -> None:
    """Ask the feeds that are due; ring for what they brought, and for what is left."""
    ends, has_news = time.monotonic() + BUDGET_S, False
    while (saved := fetch_next(at=read_clock())) is not None:
        has_news = has_news or saved.is_news
        if time.monotonic() >= ends:
            ring(settings.FEED_BELL_TASK)
            break
    if has_news:
        ring(settings.CATALOG_BELL_TASK)


@shared_task(name="crm.tasks.tell_subscriptions", soft_time_limit=110, time_limit=120)
def tell_subscriptions() -> None:
    """Tell of trials and renewals whose time has come; ring for the events."""
    ends, told = time.monotonic() + BUDGET_S, 0
    while not (piece := tell_due()).is_done and time.monotonic() < ends:
        told += piece.events
    if told + piece.events:
        ring(settings.INGEST_BELL_TASK)


@shared_task(name="crm.tasks.count_events", soft_time_limit=110, time_limit=120)
def count_events() -> None:
    """Every ten minutes: the days whose events are due to be counted."""
    count_due_days(now=timezone.now(), budget_s=20)


@shared_task(name="crm.tasks.run_imports", **IMPORT_LIMITS_S)
def run_imports() -> None:
    """Take staff's files in; ring for what they brought, and for what is left."""
    turn = take_imports(budget_s=IMPORT_BUDGET_S)
    if turn.took:
        ring(settings.INGEST_BELL_TASK)
        ring(settings.CATALOG_BELL_TASK)
    if turn.is_more:
        ring(settings.IMPORT_BELL_TASK)
