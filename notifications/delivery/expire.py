"""Expire: end what waited past its time, whoever its sender is.

A claim would end such a row too, but nobody claims behind a paused sender, a kill
switch or an open breaker; staff would see messages wait that never can go out.
"""

from __future__ import annotations

from django.db import connection

# Rows one call ends, so that no statement is long; the next round takes the rest.
BATCH = 5_000

# What the gate would say, with why it came to that: what stands in the way now. The
# rows are nobody's: one in a claim is for its gate, or comes back by its lease.
EXPIRE = """
WITH late AS (
    SELECT id FROM notifications_delivery
    WHERE state = 'pending' AND expires_at <= (SELECT clock_timestamp())
    ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE notifications_delivery d
SET state = CASE WHEN d.maybe_sent THEN 'unknown' ELSE 'expired' END,
    reason = '', finished_at = clock_timestamp(),
    detail = CASE
        WHEN d.maybe_sent THEN 'Not sent again.'
        WHEN EXISTS (SELECT FROM notifications_switch w WHERE w.scope IN
                ('all', 'channel:' || d.channel, 'sender:' || d.sender_id))
            THEN 'Its time had passed while a kill switch was off.'
        WHEN EXISTS (SELECT FROM notifications_sender s
                WHERE s.id = d.sender_id AND s.paused_at IS NOT NULL)
            THEN 'Its time had passed while its sender was paused.'
        WHEN EXISTS (SELECT FROM notifications_campaign c
                WHERE c.id = d.campaign_id AND c.state = 'paused')
            THEN 'Its time had passed while its campaign was paused.'
        WHEN EXISTS (SELECT FROM notifications_breaker b
                WHERE b.sender_id = d.sender_id AND b.platform = '')
            THEN 'Its time had passed while its sender could not send.'
        ELSE 'Its time had passed.' END
FROM late WHERE d.id = late.id
"""


def expire_overdue(*, limit: int = BATCH) -> int:
    """End up to `limit` rows whose time has passed, oldest first; how many.

    Any number of processes may call it at once: a row is ended by one of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(EXPIRE, [limit])
        return cursor.rowcount
