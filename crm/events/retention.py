"""What the event road needs kept in order: partitions ahead, old keys forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from crm.models.partitions import MONTHLY, ensure_partitions

# A repeat of a message is known this long.
KEY_LIFE = timedelta(days=7)
MONTHS_AHEAD = 3
# One statement takes so many keys: short locks, small transactions.
CHUNK = 10_000
FORGET_KEYS = """
DELETE FROM crm_messagekey WHERE message_id IN (
    SELECT message_id FROM crm_messagekey WHERE seen_at < %s
    ORDER BY seen_at LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def prepare_months(*, now: datetime) -> int:
    """Partitions of this month and the next three, of each monthly table there is."""
    last = (now.replace(day=1) + timedelta(days=31 * MONTHS_AHEAD)).date()
    tables = set(connection.introspection.table_names())
    return sum(
        ensure_partitions(table, first=now.date(), last=last)
        for table in MONTHLY
        if table in tables
    )


def forget_messages(*, now: datetime) -> int:
    """Delete message keys older than seven days, chunk by chunk."""
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(FORGET_KEYS, [now - KEY_LIFE, CHUNK])
            total += cursor.rowcount
            if cursor.rowcount < CHUNK:
                return total
