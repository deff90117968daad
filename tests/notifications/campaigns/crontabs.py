"""Times from crontab lines, for the tests of schedules."""

from __future__ import annotations

from datetime import UTC, datetime

from celery.schedules import crontab

from notifications.campaigns.schedule import CronTimes

SOME_TIME = datetime(2025, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def make_times(line: str) -> CronTimes:
    """Times from a crontab line, expanded by celery itself."""
    minute, hour, month_day, month, week_day = line.split()
    spec = crontab(minute, hour, week_day, month_day, month)
    return CronTimes(
        minutes=frozenset(spec.minute),
        hours=frozenset(spec.hour),
        days_of_month=frozenset(spec.day_of_month),
        months=frozenset(spec.month_of_year),
        days_of_week=frozenset(spec.day_of_week),
    )
