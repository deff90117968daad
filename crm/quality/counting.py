"""Counts events by day into rows, so that the page reads rows and never the events.

A day is counted whole from the events themselves: a late event, a merge or an erasure
makes nothing drift. Today and yesterday are counted every ten minutes, what came late
to the weeks before is found once a day.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time

from django.db import connection, transaction

from crm.models import CountedDay, EventDay
from crm.models.quality import KEEP_DAYS

FRESH = timedelta(minutes=9)
SETTLED = timedelta(days=1)
# Names made of ids must not grow for ever: the most frequent are kept.
MAX_ROWS = 2_000
MAX_LIBRARY = 64
COUNT_DAY = """
WITH counted AS (
    SELECT name, source,
        left(coalesce(context -> 'library' ->> 'name', ''), %(longest)s) AS library,
        count(*) AS events, count(*) FILTER (WHERE clock_skewed) AS skewed
    FROM crm_event WHERE occurred_at >= %(start)s AND occurred_at < %(end)s
    GROUP BY 1, 2, 3
), kept AS (
    INSERT INTO crm_eventday (counted_on, name, source, library, events, skewed)
    SELECT %(day)s, name, source, library, events, skewed FROM counted
    ORDER BY events DESC, name, source, library LIMIT %(most)s
)
UPDATE crm_countedday
SET counted_at = clock_timestamp(),
    events = (SELECT coalesce(sum(events), 0) FROM counted)
WHERE counted_on = %(day)s
"""


def count_due_days(*, now: datetime, budget_s: float) -> int:
    """Count what is due, the newest first, until the time is spent; how many days."""
    ends = time.monotonic() + budget_s
    done = 0
    for day in list_due_days(now):
        count_day(day)
        done += 1
        if time.monotonic() >= ends:
            break
    return done


def list_due_days(now: datetime) -> list[date]:
    """Today and yesterday, then days never counted, then those counted longest ago."""
    today = now.astimezone(UTC).date()
    days = [today - timedelta(days=n) for n in range(KEEP_DAYS)]
    rows = CountedDay.objects.filter(counted_on__in=days)
    counted = dict(rows.values_list("counted_on", "counted_at"))
    due = [day for day in days[:2] if _is_older(counted.get(day), now - FRESH)]
    due += [day for day in days[2:] if day not in counted]
    settled = [day for day in days[2:] if _is_older(counted.get(day), now - SETTLED)]
    seen = [day for day in settled if day in counted]
    return due + sorted(seen, key=lambda day: counted[day])


def _is_older(counted_at: datetime | None, at: datetime) -> bool:
    return counted_at is None or counted_at < at


@transaction.atomic
def count_day(day: date) -> None:
    """Count one day again; two workers at once wait for each other."""
    CountedDay.objects.bulk_create([CountedDay(counted_on=day)], ignore_conflicts=True)
    CountedDay.objects.select_for_update().get(counted_on=day)
    EventDay.objects.filter(counted_on=day).delete()
    start = datetime.combine(day, clock_time(), tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_DAY,
            {
                "day": day,
                "start": start,
                "end": start + timedelta(days=1),
                "longest": MAX_LIBRARY,
                "most": MAX_ROWS,
            },
        )
