"""What has happened since that makes a message untrue.

One statement per batch, straight on the raw events, so that a purchase committed
a moment before the gate is seen by it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from notifications.models import Delivery
from notifications.reasons import Reason

# After a trigger: what happened later by its own clock. After planning: also what
# arrived later and is dated at most a day back (a phone that was offline).
FIND_EXITS = """
SELECT w.delivery_id, w.name, e.occurred_at
FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::timestamptz[], %s::boolean[])
    AS w (delivery_id, contact_id, name, since, triggered)
CROSS JOIN LATERAL (
    SELECT occurred_at FROM crm_event
    WHERE contact_id = w.contact_id AND name = w.name
      AND occurred_at > w.since - CASE WHEN w.triggered
            THEN interval '0' ELSE interval '1 day' END
      AND (w.triggered OR greatest(occurred_at, received_at) > w.since)
    ORDER BY occurred_at LIMIT 1
) e
"""


@dataclass(frozen=True, slots=True)
class Exit:
    """Why a delivery must not leave any more."""

    reason: Reason
    detail: str


def find_exits(deliveries: Sequence[Delivery]) -> dict[uuid.UUID, Exit]:
    """The exit of each delivery that has one; one query."""
    watched: list[tuple[uuid.UUID, int, str, datetime, bool]] = []
    goals: dict[uuid.UUID, str] = {}
    for row in deliveries:
        version = row.campaign_version
        if version is None:
            continue
        goals[row.pk] = version.goal_event
        since = row.trigger_event_at or row.created_at
        watched += [
            (row.pk, row.contact_id, name, since, row.trigger_event_at is not None)
            for name in version.exit_event_names
        ]
    if not watched:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            FIND_EXITS, [list(column) for column in zip(*watched, strict=True)]
        )
        found = cursor.fetchall()
    return {
        key: Exit(
            Reason.EXIT_GOAL if name == goals[key] else Reason.EXIT_EVENT,
            f"{name} at {at:%Y-%m-%d %H:%M:%S} UTC",
        )
        for key, name, at in found
    }
