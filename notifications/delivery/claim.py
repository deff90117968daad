"""Claim: lease the next due rows of one sender, best first.

A claim is a compare-and-set under SKIP LOCKED with a random lease; every later
write names the lease, so that a worker that was given up changes nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from notifications.models import Breaker, Campaign, Delivery, Sender, Switch

# `(SELECT clock_timestamp())` is read once, so that the index can be searched
# with it; a bare volatile call would be compared row by row. Priorities are
# walked one by one, so that rows due tomorrow never stand before rows due now.
CLAIM = """
WITH RECURSIVE levels AS (
    (SELECT priority FROM notifications_delivery
     WHERE state = 'pending' AND sender_id = %(sender)s
     ORDER BY priority DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT d.priority FROM notifications_delivery d
            WHERE d.state = 'pending' AND d.sender_id = %(sender)s
              AND d.priority < levels.priority
            ORDER BY d.priority DESC LIMIT 1)
    FROM levels WHERE levels.priority IS NOT NULL
), due AS (
    SELECT taken.id FROM levels CROSS JOIN LATERAL (
        SELECT d.id FROM notifications_delivery d
        WHERE d.state = 'pending' AND d.sender_id = %(sender)s
          AND d.priority = levels.priority
          AND d.due_at <= (SELECT clock_timestamp()) AND d.claims = 0
          AND (d.campaign_id IS NULL OR d.campaign_id <> ALL(%(standing)s))
        ORDER BY d.due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) taken WHERE levels.priority IS NOT NULL LIMIT %(limit)s
)
"""

# A bucket holds at most five seconds' worth: what one tick to the next may send,
# and no licence to burst after a pause. The database's clock alone refills it. What
# is left of a whole message stays, or a slow sender asked often would never send.
TAKE_TOKENS = """
UPDATE notifications_sender s
SET tokens = filled.now - floor(least(filled.now, %(wanted)s)),
    refilled_at = filled.at
FROM (SELECT id, clock_timestamp() AS at, least(
        greatest(rate_per_min / 12.0, 1),
        tokens + rate_per_min / 60.0 * coalesce(
            extract(epoch FROM clock_timestamp() - refilled_at), 1)) AS now
      FROM notifications_sender WHERE id = %(sender)s FOR UPDATE) filled
WHERE s.id = filled.id
RETURNING floor(least(filled.now, %(wanted)s))::int
"""

# A row whose last claim ended in a crash is taken alone: if it is the one that
# kills workers, it takes no neighbours with it on its way to quarantine. Promotional
# ones come last; a transactional one waits for no campaign.
CLAIM_SUSPECT = """
WITH due AS (
    SELECT id FROM notifications_delivery
    WHERE state = 'pending' AND sender_id = %(sender)s AND claims > 0 AND {which}
      AND due_at <= (SELECT clock_timestamp())
      AND (campaign_id IS NULL OR campaign_id <> ALL(%(standing)s))
    ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
"""

URGENT_SUSPECT = CLAIM_SUSPECT.format(which="purpose_class = 'transactional'")
ANY_SUSPECT = CLAIM_SUSPECT.format(which="true")

LEASE = """
UPDATE notifications_delivery d
SET state = 'claimed', lease = %(lease)s, claims = claims + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
    first_claimed_at = coalesce(first_claimed_at, clock_timestamp())
FROM due WHERE d.id = due.id
RETURNING d.id
"""


# Not worked on: the claim never was, and strikes and reasons stay as they were.
GIVE_BACK = """
UPDATE notifications_delivery
SET state = 'pending', claims = greatest(claims - 1, 0),
    lease = NULL, lease_until = NULL
WHERE id = ANY(%s) AND lease = %s AND state = 'claimed'
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows leased together; `lease` fences every write about them."""

    lease: uuid.UUID
    sender: Sender
    deliveries: list[Delivery]


def list_open_senders() -> list[Sender]:
    """Senders that may send now: not paused, not switched off, breaker closed."""
    stopped = Switch.objects.stopped_scopes()
    if Switch.ALL in stopped:
        return []
    blocked = set(
        Breaker.objects.filter(platform="")
        .extra(where=["open_until > clock_timestamp()"])
        .values_list("sender_id", flat=True)
    )
    return [
        sender
        for sender in Sender.objects.active().select_related("brand")
        if sender.pk not in blocked
        and f"sender:{sender.pk}" not in stopped
        and f"channel:{sender.channel}" not in stopped
    ]


def claim_deliveries(sender: Sender, *, limit: int) -> Claim:
    """Lease up to `limit` due rows of this sender, or one suspect; may be none."""
    lease = uuid.uuid4()
    standing = list(
        Campaign.objects.filter(state=Campaign.State.PAUSED).values_list(
            "pk", flat=True
        )
    )
    wanted: dict[str, Any] = {
        "sender": sender.pk,
        "standing": standing,
        "limit": limit,
        "lease": lease,
        "lease_s": settings.DELIVERY_LEASE_S,
    }
    ids: list[uuid.UUID] = []
    for statement in (URGENT_SUSPECT, CLAIM, ANY_SUSPECT):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement + LEASE, wanted)
            ids = [row[0] for row in cursor.fetchall()]
        if ids:
            break
    rows = Delivery.objects.filter(pk__in=ids, lease=lease).select_related(
        "campaign", "campaign_version", "campaign_version__segment", "api_send"
    )
    ordered = sorted(rows, key=lambda row: (-row.priority, row.due_at, row.pk))
    return Claim(lease=lease, sender=sender, deliveries=ordered)


def take_tokens(sender: Sender, *, wanted: int) -> int:
    """Take up to `wanted` messages out of the sender's bucket."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_TOKENS, {"sender": sender.pk, "wanted": wanted})
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def give_back(claim: Claim, *, keep: int) -> Claim:
    """Return all but the first `keep` rows to pending, untouched."""
    over = [row.pk for row in claim.deliveries[keep:]]
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, [over, claim.lease])
    return Claim(claim.lease, claim.sender, claim.deliveries[:keep])
