"""Triggers: what a contact did, or a segment entered, becomes a delivery.

Called in the transaction that takes the events in hand, with their contacts
locked, so a repeated event and a race with a second one plan nothing twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from crm.clock import read_clock
from crm.facts.about import compare_event
from crm.facts.happenings import read_filter
from crm.ports.facts import RuleError, Sql
from notifications.campaigns.audience import select_people
from notifications.campaigns.runs import set_aside_campaign
from notifications.delivery.plan import Audience, plan_deliveries
from notifications.models import Campaign, CampaignVersion
from segments.models import MembershipChange

# The delay counts from the event's own time; a late event is not made to wait
# again. "Every time" with a gap also keeps two events of one batch apart.
EVENT_AUDIENCE = """
SELECT DISTINCT ON ({distinct}) e.contact_id, {occurrence} AS occurrence,
    greatest(e.occurred_at + make_interval(secs => %s), clock_timestamp()) AS due_at,
    '' AS due_local, '' AS due_zone,
    e.id AS trigger_event_id, e.occurred_at AS trigger_event_at
FROM unnest(%s::uuid[], %s::timestamptz[]) AS w (id, occurred_at)
JOIN crm_event e ON e.id = w.id AND e.occurred_at = w.occurred_at
WHERE e.name = %s
  AND e.occurred_at > clock_timestamp() - make_interval(secs => %s)
  AND ({filters})
  AND (%s OR e.contact_id IN ({people}))
  AND NOT EXISTS (
    SELECT 1 FROM notifications_delivery d
    WHERE d.source_kind = 'campaign' AND d.source_id = %s
      AND d.contact_id = e.contact_id
      AND d.created_at > clock_timestamp() - make_interval(secs => %s))
ORDER BY {distinct}, e.occurred_at
"""

ENTRY_AUDIENCE = """
SELECT DISTINCT ON ({distinct}) m.contact_id, {occurrence} AS occurrence,
    greatest(m.at + make_interval(secs => %s), clock_timestamp()) AS due_at,
    '' AS due_local, '' AS due_zone,
    NULL::uuid AS trigger_event_id, NULL::timestamptz AS trigger_event_at
FROM segments_membershipchange m
WHERE m.id = ANY(%s) AND m.segment_id = %s AND m.action = 'entered'
  AND NOT EXISTS (
    SELECT 1 FROM notifications_delivery d
    WHERE d.source_kind = 'campaign' AND d.source_id = %s
      AND d.contact_id = m.contact_id
      AND d.created_at > clock_timestamp() - make_interval(secs => %s))
ORDER BY {distinct}, m.id
"""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event in hand: enough to find it in its partition."""

    id: uuid.UUID
    occurred_at: datetime
    contact_id: int
    name: str


def plan_event_triggers(events: Sequence[Happened]) -> int:
    """Plan what these events start; answers how many deliveries are new."""
    names = sorted({event.name for event in events})
    campaigns = Campaign.objects.triggered_by(names).with_definition()
    planned = 0
    for campaign in campaigns:
        try:
            planned += _plan_one(campaign.current_version, events)
        except (RuleError, LookupError) as error:
            # Its filters or its sender are at fault, found before any statement of
            # its own; the events go on to the others.
            set_aside_campaign(campaign, fault=str(error))
    return planned


def _plan_one(version: CampaignVersion | None, events: Sequence[Happened]) -> int:
    if version is None:
        return 0
    mine = [event for event in events if event.name == version.trigger_event]
    people, people_params = select_people(version)
    filters = compile_trigger_filters(version.trigger_filters, at=read_clock())
    every = version.reentry == CampaignVersion.Reentry.EVERY
    spaced = not every or version.reentry_gap_s > 0
    sql = EVENT_AUDIENCE.format(
        distinct="e.contact_id" if spaced else "e.id",
        occurrence="e.id::text" if every else "''",
        filters=filters.text,
        people=people,
    )
    return plan_deliveries(
        version,
        Audience(
            sql,
            (
                version.trigger_delay_s,
                [event.id for event in mine],
                [event.occurred_at for event in mine],
                version.trigger_event,
                settings.TRIGGER_MAX_AGE_S,
                *filters.params,
                version.segment_id is None,
                *people_params,
                version.campaign_id,
                version.reentry_gap_s if every else 0,
            ),
        ),
    )


def check_filters(version: CampaignVersion, *, at: datetime) -> None:
    """Raise ValidationError where the filters of a trigger are none."""
    try:
        compile_trigger_filters(version.trigger_filters, at=at)
    except RuleError as error:
        raise ValidationError({"trigger_filters": str(error)}) from error


def compile_trigger_filters(nodes: Sequence[Any], *, at: datetime) -> Sql:
    """The property filters of a trigger, in the words and SQL of segment rules.

    Raises RuleError with the path of the fault.
    """
    tests = [Sql("true")]
    for index, node in enumerate(nodes):
        name, comparison = read_filter(node, f"trigger_filters[{index}]")
        tests.append(compare_event(name, comparison, at))
    return Sql(
        " AND ".join(test.text for test in tests),
        tuple(param for test in tests for param in test.params),
    )


def plan_segment_entries(*, limit: int = 5_000) -> int:
    """Plan what entering a segment starts; the change rows are the outbox.

    Rows are taken whatever campaigns there are: one that starts later starts
    with those who enter later.
    """
    changes = [row.pk for row in MembershipChange.objects.claim_unhandled(limit)]
    if not changes:
        return 0
    MembershipChange.objects.filter(pk__in=changes).mark_handled(read_clock())
    campaigns = Campaign.objects.entered_by_segment().with_definition()
    return sum(
        _plan_entries(campaign.current_version, changes) for campaign in campaigns
    )


def _plan_entries(version: CampaignVersion | None, changes: list[int]) -> int:
    if version is None:
        return 0
    every = version.reentry == CampaignVersion.Reentry.EVERY
    spaced = not every or version.reentry_gap_s > 0
    sql = ENTRY_AUDIENCE.format(
        distinct="m.contact_id" if spaced else "m.id",
        occurrence="m.id::text" if every else "''",
    )
    return plan_deliveries(
        version,
        Audience(
            sql,
            (
                version.trigger_delay_s,
                changes,
                version.segment_id,
                version.campaign_id,
                version.reentry_gap_s if every else 0,
            ),
        ),
    )
