"""Triggers: one campaign's fault is not the others', nor the events'."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from crm.models import PendingEvent
from notifications import pipeline
from notifications.campaigns.launch import launch_campaign
from notifications.campaigns.triggers import plan_segment_entries
from notifications.models import Alert, Campaign, CampaignVersion
from segments.editing import save_segment
from segments.models import MembershipChange
from tests.factories import make_event
from tests.notifications.factories import make_campaign, make_reachable

pytestmark = pytest.mark.django_db

NO_RULE = [{"property": "price", "op": "resembles", "value": 5}]


def launch_trigger(**columns: Any) -> Campaign:
    columns = {"kind": "event", "trigger_event": "Product Added", **columns}
    return launch_campaign(make_campaign(**columns), by="test")


def test_a_campaign_whose_filters_are_broken_is_paused_and_stops_no_other() -> None:
    broken, sound = launch_trigger(), launch_trigger()
    CampaignVersion.objects.filter(campaign=broken).update(trigger_filters=NO_RULE)
    person = make_reachable()
    event = make_event(person, "Product Added", occurred_at=timezone.now())
    PendingEvent.objects.create(
        event_id=event.pk,
        occurred_at=event.occurred_at,
        contact=person,
        name=event.name,
    )
    pipeline.process_events()
    assert sound.deliveries.count() == 1
    assert not PendingEvent.objects.exists()
    broken.refresh_from_db()
    assert broken.state == "paused"
    assert Alert.objects.open().get().cause == f"campaign:{broken.pk}:schedule"


def test_filters_that_are_none_are_refused_at_save() -> None:
    with pytest.raises(ValidationError) as refusal:
        make_campaign(
            kind="event", trigger_event="Product Added", trigger_filters=NO_RULE
        )
    assert "trigger_filters" in refusal.value.message_dict


@pytest.mark.parametrize(
    ("_case", "gap_s", "planned"),
    [("every time", 0, 2), ("every time, an hour apart", 3_600, 1)],
)
def test_entering_twice_between_two_looks_is_two_entries(
    _case: str, gap_s: int, planned: int
) -> None:
    plan = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    rule = {"version": 1, "root": {"all": [plan]}}
    segment = save_segment(name="VIP", rule=rule, actor="test")
    launch_campaign(
        make_campaign(
            kind="segment_entered",
            segment=segment,
            reentry="every",
            reentry_gap_s=gap_s,
        ),
        by="test",
    )
    person = make_reachable()
    for action in ("entered", "left", "entered"):
        MembershipChange.objects.create(
            segment=segment, contact=person, action=action, at=timezone.now()
        )
    assert plan_segment_entries() == planned


@pytest.mark.parametrize("name", ["100%", "%s", "%(a0)s", "{people}", "o'clock"])
def test_a_property_of_any_name_can_be_filtered_by(name: str) -> None:
    campaign = launch_trigger(
        trigger_filters=[{"property": name, "op": "contains", "value": "50%"}]
    )
    for properties in ({name: "now 50% off"}, {name: "501"}, {}):
        person = make_reachable()
        event = make_event(
            person,
            "Product Added",
            occurred_at=timezone.now(),
            properties=properties,
        )
        PendingEvent.objects.create(
            event_id=event.pk,
            occurred_at=event.occurred_at,
            contact=person,
            name=event.name,
        )
    pipeline.process_events()
    assert campaign.deliveries.count() == 1
