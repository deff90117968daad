"""Monthly partitions: kept ahead of time, named `<table>_yYYYYmMM`.

Rows whose month has no partition wait in `<table>_default`; making the month's
partition moves them, so nothing is ever refused for want of a partition. A month
whose rows are all too old to be kept is dropped whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

# As long may a drop hold up others while it waits for a reader to end.
LOCK_WAIT = "2s"

# Tables partitioned by month, with the column that decides.
MONTHLY = {"crm_event": "occurred_at", "notifications_renderedmessage": "created_at"}


def list_months(first: date, last: date) -> Iterator[date]:
    """First days of the months from `first` to `last`, both included."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)


def ensure_partitions(table: str, *, first: date, last: date) -> int:
    """Make the missing monthly partitions of `table`; answers how many."""
    return sum(_make_partition(table, month) for month in list_months(first, last))


def _make_partition(table: str, month: date) -> bool:
    name = f"{table}_y{month.year:04d}m{month.month:02d}"
    column = MONTHLY[table]
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    end = _find_month_end(month)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [table])
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone()[0]:
            return False
        cursor.execute(
            f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING DEFAULTS '
            "INCLUDING CONSTRAINTS)"
        )
        cursor.execute(
            f'WITH moved AS (DELETE FROM "{table}_default" '
            f'WHERE "{column}" >= %s AND "{column}" < %s RETURNING *) '
            f'INSERT INTO "{name}" SELECT * FROM moved',
            [start, end],
        )
        cursor.execute(
            f'ALTER TABLE "{table}" ATTACH PARTITION "{name}" '
            f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
    return True


def drop_partitions(table: str, *, before: datetime) -> int:
    """Drop the months of `table` that ended by then, oldest first; how many.

    Leaves the rest to the next call where somebody reads the table for seconds: a
    lock that waits would hold up everybody behind it.
    """
    dropped = 0
    for name, end in _list_partitions(table):
        if end > before:
            continue
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT]
                )
                cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
        except OperationalError:
            logger.warning("%s is in use; dropped another time.", name)
            return dropped
        dropped += 1
    return dropped


def _list_partitions(table: str) -> list[tuple[str, datetime]]:
    """The monthly partitions there are, each with the end of its month."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        names = [name for (name,) in cursor.fetchall()]
    found = []
    for name in names:
        month = re.fullmatch(rf"{table}_y(\d{{4}})m(\d{{2}})", name)
        if month:
            first = datetime(int(month[1]), int(month[2]), 1, tzinfo=UTC)
            found.append((name, _find_month_end(first)))
    return found


def _find_month_end(first: date) -> datetime:
    """The instant at which the next month begins."""
    return datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
