"""Sweep: give back what dead workers held. Not a job of the broker's.

Runs every few seconds in a thread of each worker's parent process, one at a
time by an advisory lock, with a beat tick as the back-up.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

# A key of our own for pg_try_advisory_xact_lock: "apropos sweep".
LOCK_KEY = 0x41505253

# A lease further ahead than this was set by a clock that jumped.
LEASE_HORIZON_S = 600
STRIKES = 3

RETURN_CLAIMED = """
UPDATE notifications_delivery
SET state = CASE WHEN claims >= %(strikes)s THEN 'quarantined' ELSE 'pending' END,
    detail = CASE WHEN claims >= %(strikes)s
        THEN 'Stopped a worker ' || claims || ' times.' ELSE detail END,
    finished_at = CASE WHEN claims >= %(strikes)s THEN clock_timestamp() END,
    lease = NULL, lease_until = NULL
WHERE id IN (SELECT id FROM notifications_delivery
             WHERE state = 'claimed'
               AND (lease_until < clock_timestamp()
                    OR lease_until > clock_timestamp()
                       + make_interval(secs => %(horizon)s))
             FOR UPDATE SKIP LOCKED LIMIT 5000)
"""

# Nobody knows whether these were sent. Promotional: once is enough, so they end
# as unknown. Transactional: again, under the same tag, twice at most.
SETTLE_SENDING = """
WITH lost AS (
    SELECT id, purpose_class = 'transactional' AND tries < 2
               AND expires_at > clock_timestamp() AS again
    FROM notifications_delivery
    WHERE state = 'sending'
      AND (lease_until < clock_timestamp()
           OR lease_until > clock_timestamp() + make_interval(secs => %(horizon)s))
    FOR UPDATE SKIP LOCKED LIMIT 5000
), attempts AS (
    UPDATE notifications_attempt a
    SET state = 'unknown', finished_at = clock_timestamp(),
        code = 'LEASE_LOST', detail = 'The worker stopped before the answer.'
    FROM lost WHERE a.delivery_id = lost.id AND a.state = 'sending'
)
UPDATE notifications_delivery d
SET state = CASE WHEN lost.again THEN 'pending' ELSE 'unknown' END,
    detail = 'The worker stopped before the answer.',
    tries = d.tries + 1, maybe_sent = true, lease = NULL, lease_until = NULL,
    due_at = CASE WHEN lost.again THEN clock_timestamp() + interval '10 seconds'
             ELSE d.due_at END,
    finished_at = CASE WHEN lost.again THEN NULL ELSE clock_timestamp() END
FROM lost WHERE d.id = lost.id
"""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one sweep gave back. `ran` is False where another held the lock."""

    ran: bool
    returned: int = 0
    unknown: int = 0


def sweep_leases() -> Sweep:
    """Return expired claims to pending and settle expired sends by their class."""
    limits = {
        "strikes": STRIKES,
        "horizon": LEASE_HORIZON_S + settings.DELIVERY_LEASE_S,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK_KEY])
        if not cursor.fetchone()[0]:
            return Sweep(ran=False)
        cursor.execute(RETURN_CLAIMED, limits)
        returned = cursor.rowcount
        cursor.execute(SETTLE_SENDING, limits)
        return Sweep(ran=True, returned=returned, unknown=cursor.rowcount)
