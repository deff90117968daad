"""Monthly partitions: kept ahead of time, named `<table>_yYYYYmMM`.

Rows whose month has no partition wait in `<table>_default`; making the month's
partition moves them, so nothing is ever refused for want of a partition.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from django.db import connection, transaction

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
    end = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
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
