"""From an accepted event to a planned message, each step once."""

from __future__ import annotations

import contextlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from crm.models import Contact, Event, PendingEvent
from notifications import pipeline
from notifications.campaigns.launch import launch_campaign
from notifications.campaigns.triggers import Happened
from notifications.delivery.send import send_due
from notifications.models import Conversion, Delivery
from segments.editing import save_segment
from segments.membership import refresh_segment
from segments.models import Membership, Segment
from tests.factories import make_contact, make_event
from tests.notifications.factories import (
    LoggingChannel,
    lift_limits,
    make_campaign,
    make_reachable,
    plan_for,
)

pytestmark = pytest.mark.django_db


def make_pending(person: Contact, name: str = "Product Added", **fields: Any) -> Event:
    """An event as ingest leaves it: the row, and a pending row beside it."""
    fields.setdefault("occurred_at", timezone.now())
    event = make_event(person, name, **fields)
    PendingEvent.objects.create(
        event_id=event.pk,
        occurred_at=event.occurred_at,
        contact=person,
        name=name,
    )
    return event


def make_segment(name: str, root: dict[str, Any]) -> Segment:
    segment = save_segment(name=name, rule={"version": 1, "root": root}, actor="test")
    refresh_segment(segment, at=timezone.now())
    return Segment.objects.get(pk=segment.pk)


def launch_trigger(**columns: Any) -> Any:
    columns.setdefault("kind", "event")
    columns.setdefault("trigger_event", "Product Added")
    return launch_campaign(make_campaign(**columns), by="test")


def test_an_event_plans_its_campaign_once() -> None:
    campaign = launch_trigger()
    event = make_pending(make_reachable())
    done = pipeline.process_events()
    assert (done.events, done.planned) == (1, 1)
    assert not PendingEvent.objects.exists()
    row = campaign.deliveries.get()
    assert (row.state, row.trigger_event_id) == ("pending", event.pk)
    assert pipeline.process_events().events == 0


def test_once_per_contact_stays_once() -> None:
    campaign = launch_trigger()
    person = make_reachable()
    for _ in range(3):
        make_pending(person)
    pipeline.process_events()
    make_pending(person)
    pipeline.process_events()
    assert campaign.deliveries.count() == 1


def test_every_time_means_every_event() -> None:
    campaign = launch_trigger(reentry="every")
    person = make_reachable()
    events = [make_pending(person) for _ in range(2)]
    pipeline.process_events()
    found = set(campaign.deliveries.values_list("occurrence", flat=True))
    assert found == {str(event.pk) for event in events}


def test_a_gap_keeps_two_events_of_one_batch_apart() -> None:
    campaign = launch_trigger(reentry="every", reentry_gap_s=3600)
    person = make_reachable()
    make_pending(person)
    make_pending(person)
    pipeline.process_events()
    make_pending(person)
    pipeline.process_events()
    assert campaign.deliveries.count() == 1


def test_a_delay_counts_from_the_event() -> None:
    campaign = launch_trigger(trigger_delay_s=900)
    at = timezone.now() - timedelta(minutes=5)
    make_pending(make_reachable(), occurred_at=at)
    pipeline.process_events()
    assert campaign.deliveries.get().due_at == at + timedelta(minutes=15)


def test_an_old_event_fires_nothing() -> None:
    launch_trigger()
    make_pending(make_reachable(), occurred_at=timezone.now() - timedelta(days=2))
    assert pipeline.process_events().planned == 0
    assert not Delivery.objects.exists()


def test_a_property_filter_must_match() -> None:
    campaign = launch_trigger(
        trigger_filters=[{"property": "price", "op": "gte", "value": 50}]
    )
    cheap, dear = make_reachable(), make_reachable()
    make_pending(cheap, properties={"price": 10})
    make_pending(dear, properties={"price": 60})
    pipeline.process_events()
    assert [row.contact_id for row in campaign.deliveries.all()] == [dear.pk]


def test_the_filter_segment_is_judged_with_the_event_that_triggers() -> None:
    """No race: the event moves the membership before the trigger asks for it."""
    segment = make_segment("Adders", {"type": "event", "name": "Product Added"})
    campaign = launch_trigger(segment=segment)
    person = make_reachable()
    make_pending(person)
    pipeline.process_events()
    assert campaign.deliveries.get().contact_id == person.pk


def test_entering_a_segment_plans_its_campaign() -> None:
    segment = make_segment("Buyers", {"type": "event", "name": "Order Completed"})
    campaign = launch_campaign(
        make_campaign(kind="segment_entered", segment=segment), by="test"
    )
    person = make_reachable()
    make_pending(person, "Order Completed")
    done = pipeline.process_events()
    assert done.membership_changes == 1
    assert campaign.deliveries.get().contact_id == person.pk
    assert Membership.objects.filter(segment=segment, contact=person).exists()


def test_a_goal_event_converts_the_message_before_it() -> None:
    lift_limits()
    person = make_reachable()
    campaign = make_campaign(goal_event="Order Completed")
    (row,) = plan_for(campaign, person)
    send_due(budget_s=10, open_one=lambda sender: LoggingChannel())
    make_pending(person, "Order Completed", value=40, currency="GBP")
    assert pipeline.process_events().conversions == 1
    found = Conversion.objects.get()
    assert (found.delivery_id, found.value, found.currency) == (row.pk, 40, "GBP")


def test_one_event_at_fault_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person, poisoned = make_reachable(), make_contact()
    make_pending(person)
    bad = make_pending(poisoned)

    def fail_for_poison(events: list[Happened]) -> int:
        if any(event.id == bad.pk for event in events):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        return 0

    monkeypatch.setattr(pipeline, "match_conversions", fail_for_poison)
    for _ in range(3):
        pipeline.process_events()
    row = PendingEvent.objects.get()
    assert (row.event_id, row.attempts) == (bad.pk, 3)
    assert row.quarantined_at is not None
    assert "division by zero" in row.last_error


def test_an_event_that_killed_its_worker_three_times_is_set_aside() -> None:
    make_pending(make_reachable())
    PendingEvent.objects.update(attempts=3, lease_until=timezone.now())
    assert pipeline.process_events().events == 0
    row = PendingEvent.objects.get()
    assert row.quarantined_at is not None
    assert row.last_error == "Stopped a worker 3 times."


def test_a_leased_event_is_left_to_its_worker() -> None:
    make_pending(make_reachable())
    soon = timezone.now() + timedelta(minutes=1)
    PendingEvent.objects.update(lease_until=soon)
    assert pipeline.process_events().events == 0


def test_a_profile_change_moves_memberships_too() -> None:
    segment = make_segment(
        "Pros", {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    )
    person = make_contact(traits={"plan": "pro"})
    PendingEvent.objects.create(
        event_id=uuid.uuid4(),
        occurred_at=timezone.now(),
        contact=person,
        name="$identify",
    )
    pipeline.process_events()
    assert Membership.objects.filter(segment=segment, contact=person).exists()


def test_a_due_campaign_is_planned_by_one_tick_and_finished_when_sent() -> None:
    lift_limits()
    person = make_reachable()
    campaign = launch_campaign(make_campaign(), by="test")
    assert campaign.state == "scheduled"
    assert pipeline.tick().planned == 1
    assert pipeline.tick().planned == 0
    send_due(budget_s=10, open_one=lambda sender: LoggingChannel())
    assert pipeline.tick().finished == 1
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    assert campaign.deliveries.get().contact_id == person.pk


def test_a_programming_error_sets_aside_the_guilty_event_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = [make_reachable() for _ in range(3)]
    events = [make_pending(person) for person in people]
    guilty = events[1].pk

    def crash_for_guilty(events: list[Happened]) -> int:
        if any(event.id == guilty for event in events):
            raise RuntimeError("a bug of ours")
        return 0

    monkeypatch.setattr(pipeline, "match_conversions", crash_for_guilty)
    for _ in range(8):
        with contextlib.suppress(RuntimeError):
            pipeline.process_events()
        # A minute later.
        PendingEvent.objects.update(lease_until=None)
    (left,) = PendingEvent.objects.all()
    assert left.event_id == guilty
    assert left.quarantined_at is not None


def test_a_trigger_filter_that_cannot_be_read_is_not_saved() -> None:
    with pytest.raises(ValidationError) as caught:
        launch_trigger(trigger_filters=[{"property": "price", "op": "resembles"}])
    assert list(caught.value.message_dict) == ["trigger_filters"]
