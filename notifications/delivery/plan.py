"""Plan: write one delivery row per person, in one statement.

It decides nothing but who and when; the gate decides the rest, once, with the
freshest facts. Running it twice writes nothing twice (the unique key).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from crm.models.ids import UUID7_SQL
from notifications.models import CampaignVersion, Delivery, Sender


@dataclass(frozen=True, slots=True)
class Audience:
    """SQL that yields the people of one run, with its parameters.

    Columns: contact_id, occurrence, due_at, due_local, due_zone,
    trigger_event_id, trigger_event_at.
    """

    sql: str
    params: tuple[Any, ...] = ()


INSERT = f"""
INSERT INTO notifications_delivery (
    id, source_kind, source_id, occurrence, contact_id, campaign_id,
    campaign_version_id, template_version_id, sender_id, channel, variant,
    experiment, holdout, origin, relevance, purpose_class, topic_id,
    trigger_event_id, trigger_event_at, state, reason, detail, priority, due_at,
    due_local, due_zone, expires_at, created_at, claims, posts, tries,
    maybe_sent, locale)
SELECT {UUID7_SQL}, %(source_kind)s, %(source_id)s, a.occurrence, a.contact_id,
    %(campaign_id)s, %(version_id)s, %(template_version_id)s, %(sender_id)s,
    %(channel)s, '', '', '', %(origin)s, %(relevance)s, %(purpose_class)s,
    %(topic_id)s, a.trigger_event_id, a.trigger_event_at, 'pending', '', '',
    %(priority)s, a.due_at, a.due_local, a.due_zone,
    least(a.due_at + make_interval(secs => %(ttl_s)s), %(offer_ends_at)s::timestamptz),
    clock_timestamp(), 0, 0, 0, false, ''
FROM ({{audience}}) a
JOIN crm_contact c ON c.id = a.contact_id
    AND c.canonical_id IS NULL AND c.erased_at IS NULL
ON CONFLICT ON CONSTRAINT delivery_once_per_person_and_message DO NOTHING
"""


def plan_deliveries(version: CampaignVersion, audience: Audience) -> int:
    """Insert the pending rows of one audience; answers how many were new."""
    # Parameters of the audience are named apart, so that both mix in one text.
    named = {f"a{index}": value for index, value in enumerate(audience.params)}
    placeholders = [f"%({name})s" for name in named]
    sql = audience.sql % tuple(placeholders) if placeholders else audience.sql
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT.replace("{audience}", sql), {**list_columns(version), **named}
        )
        return cursor.rowcount


def list_columns(version: CampaignVersion) -> Mapping[str, Any]:
    """The values every row of this version shares."""
    sender = version.sender or Sender.objects.default_for(version.channel)
    if sender is None:
        raise LookupError(f"There is no sender for {version.channel}.")
    return {
        "source_kind": Delivery.SourceKind.CAMPAIGN,
        "source_id": version.campaign_id,
        "campaign_id": version.campaign_id,
        "version_id": version.pk,
        "template_version_id": version.template_version_id,
        "sender_id": sender.pk,
        "channel": version.channel,
        "origin": version.campaign.origin,
        "relevance": version.relevance,
        "purpose_class": version.purpose_class,
        "topic_id": version.topic_id,
        "priority": version.priority,
        "ttl_s": version.ttl_s,
        "offer_ends_at": version.offer_ends_at,
    }
