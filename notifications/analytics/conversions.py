"""Conversions: goal events that fall into the window of a message.

The window is half-open, [anchor, anchor + window), by the event's own clock; the
anchor is when the message was sent, delivered, opened or clicked, as its campaign
says. Each message converts once, at its first goal event. An event converts at
most one message of a campaign, the latest, so that revenue is counted once; it
may convert several campaigns.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from django.db import connection

from notifications.delivery.outcomes import leave_outcomes


class Happened(Protocol):
    """An event in hand: enough to find it in its partition."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def contact_id(self) -> int: ...
    @property
    def name(self) -> str: ...


# A message that nobody knows to be sent has no sent_at, so it waits for a receipt.
# Test sends count for nothing.
REACHED = """
SELECT DISTINCT ON (e.id, d.campaign_id)
    d.id AS delivery_id, d.campaign_id, d.contact_id,
    e.id AS event_id, e.occurred_at, e.value, e.currency
FROM {source}
JOIN notifications_delivery d ON {delivery}
JOIN notifications_campaignversion v
    ON v.id = d.campaign_version_id AND v.goal_event <> ''
CROSS JOIN LATERAL (SELECT CASE v.goal_anchor
    WHEN 'sent' THEN d.sent_at WHEN 'delivered' THEN d.delivered_at
    WHEN 'opened' THEN d.opened_at WHEN 'clicked' THEN d.clicked_at END AS at) anchor
JOIN crm_event e ON {event} AND e.name = v.goal_event
    AND e.contact_id = d.contact_id AND e.occurred_at >= anchor.at
    AND e.occurred_at < anchor.at + make_interval(secs => v.goal_window_s)
WHERE d.sent_at IS NOT NULL AND d.campaign_id IS NOT NULL
  AND d.source_kind <> 'test'
  AND NOT EXISTS (
    SELECT 1 FROM notifications_conversion c
    WHERE c.campaign_id = d.campaign_id AND c.event_at = e.occurred_at
      AND c.event_id = e.id)
ORDER BY e.id, d.campaign_id, anchor.at DESC, d.id DESC
"""

COUNT = """
WITH reached AS ({reached}), counted AS (
    INSERT INTO notifications_conversion (delivery_id, campaign_id, contact_id,
        event_id, event_at, value, currency, matched_at)
    SELECT DISTINCT ON (delivery_id) delivery_id, campaign_id, contact_id,
        event_id, occurred_at, value, currency, clock_timestamp()
    FROM reached ORDER BY delivery_id, occurred_at, event_id
    ON CONFLICT ON CONSTRAINT conversion_once DO NOTHING
    RETURNING delivery_id, event_at
)
UPDATE notifications_delivery d SET converted_at = counted.event_at
FROM counted WHERE d.id = counted.delivery_id
RETURNING d.contact_id
"""

# Few events are a goal of anybody, and to plan the statement above costs more.
GOALS = """
SELECT DISTINCT goal_event FROM notifications_campaignversion
WHERE goal_event = ANY(%s) AND goal_event <> ''
"""

MATCH_EVENTS = COUNT.format(
    reached=REACHED.format(
        source="unnest(%s::uuid[], %s::timestamptz[], %s::bigint[]) "
        "AS w (id, occurred_at, contact_id)",
        delivery="d.contact_id = w.contact_id",
        event="e.id = w.id AND e.occurred_at = w.occurred_at",
    )
)

MATCH_DELIVERY = COUNT.format(
    reached=REACHED.format(
        source="(VALUES (%s::uuid)) AS w (id)", delivery="d.id = w.id", event="true"
    )
)


def match_conversions(events: Sequence[Happened]) -> int:
    """Convert the messages whose goal these events reach; answers how many.

    Run twice it changes nothing. The caller holds the locks of the
    contacts, so that two batches never count one event twice.
    """
    if not events:
        return 0
    reaching = _pick_goals(events)
    if not reaching:
        return 0
    return _convert(
        MATCH_EVENTS,
        [event.id for event in reaching],
        [event.occurred_at for event in reaching],
        [event.contact_id for event in reaching],
    )


def _pick_goals(events: Sequence[Happened]) -> list[Happened]:
    with connection.cursor() as cursor:
        cursor.execute(GOALS, [sorted({event.name for event in events})])
        goals = {name for (name,) in cursor.fetchall()}
    return [event for event in events if event.name in goals]


def match_delivery(delivery_id: uuid.UUID) -> bool:
    """Look again at one message whose anchor just became known: an open may be
    reported after the purchase it led to. The caller holds the contact's lock."""
    return _convert(MATCH_DELIVERY, delivery_id) > 0


def _convert(statement: str, *params: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        converted = [contact_id for (contact_id,) in cursor.fetchall()]
    leave_outcomes({"converted": converted})
    return len(converted)
