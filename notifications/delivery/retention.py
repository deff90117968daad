"""How long what a person was shown, and what it was made of, is kept: 90 days."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from crm.models.partitions import drop_partitions
from notifications.models import ApiSend, Delivery, RenderedMessage

TEXT_LIFE = timedelta(days=90)
# One statement takes so many texts: short locks, small transactions.
CHUNK = 10_000
FORGET_TEXTS = """
DELETE FROM notifications_renderedmessage
WHERE created_at < %(before)s AND (created_at, delivery_id) IN (
    SELECT created_at, delivery_id FROM notifications_renderedmessage
    WHERE created_at < %(before)s
    ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


def forget_texts(*, now: datetime) -> int:
    """Drop the months that are over for good, then delete row by row, in chunks.

    Answers how many rows were deleted; those of dropped months are not counted.
    """
    before = now - TEXT_LIFE
    drop_partitions(RenderedMessage._meta.db_table, before=before)
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(FORGET_TEXTS, {"before": before, "limit": CHUNK})
            total += cursor.rowcount
            if cursor.rowcount < CHUNK:
                return total


def forget_api_sends(*, now: datetime) -> int:
    """Delete what API calls said of messages that ended; one that is still to come
    keeps what it will say. Answers how many rows were deleted."""
    old = ApiSend.objects.filter(
        created_at__lt=now - TEXT_LIFE, delivery__state__in=Delivery.FINAL
    )
    total = 0
    while ids := list(old.values_list("pk", flat=True)[:CHUNK]):
        total += ApiSend.objects.filter(pk__in=ids).delete()[0]
    return total
