"""What came of a message moves the segments that ask for it, and costs no others."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from crm.clock import read_clock
from crm.events.ingest import record_events
from crm.events.limits import Limits
from crm.events.merge import merge_contacts
from crm.events.schema import parse_batch
from crm.models import Contact, PendingEvent
from crm.privacy import erase_contact
from notifications.analytics.record import record_engagement
from notifications.channels.base import Outcome
from notifications.delivery.outcomes import hold_new_segments, leave_outcomes
from notifications.delivery.send import send_due
from notifications.models import Delivery
from notifications.pipeline import process_pending
from segments.editing import save_segment
from segments.lifecycle import build_stages, save_stages
from segments.membership import expire_memberships, refresh_segment
from segments.models import ContactStage, Membership, MembershipChange, Segment
from tests import factories
from tests.notifications.factories import (
    LoggingChannel,
    answer_with,
    lift_limits,
    make_campaign,
    make_reachable,
    plan_for,
)

pytestmark = pytest.mark.django_db
WEEK = {"amount": 7, "unit": "days"}
MINUTE = timedelta(minutes=1)


def make_segment(**node: Any) -> Segment:
    rule = {"version": 1, "root": {"type": "message", **node}}
    segment = save_segment(name=str(node)[:200], rule=rule, actor="test")
    refresh_segment(segment, at=read_clock())
    return segment


def list_members(segment: Segment) -> set[int]:
    rows = Membership.objects.of_segment(segment)
    return set(rows.values_list("contact_id", flat=True))


def send(*people: Contact, outcome: Outcome = Outcome.SENT) -> list[Delivery]:
    lift_limits()
    campaign = make_campaign()
    plan_for(campaign, *people)
    channel = LoggingChannel(lambda push: answer_with(outcome))
    send_due(budget_s=5, open_one=lambda sender: channel)
    return list(campaign.deliveries.order_by("contact_id"))


def test_a_send_moves_those_it_reached_and_time_moves_them_back() -> None:
    segment = make_segment(outcome="sent", within=WEEK)
    people = [make_reachable() for _ in range(3)]
    [sent, *_] = send(*people)
    assert PendingEvent.objects.filter(name="$message sent").count() == 3

    process_pending(budget_s=5)

    assert list_members(segment) == {one.pk for one in people}
    change = MembershipChange.objects.filter(contact=people[0]).get()
    assert (change.action, change.reason) == ("entered", "after “message sent”")
    assert sent.sent_at is not None
    expire_memberships(sent.sent_at + timedelta(days=7, microseconds=-1))
    assert people[0].pk in list_members(segment)
    expire_memberships(sent.sent_at + timedelta(days=7))
    assert people[0].pk not in list_members(segment)


def test_what_was_refused_or_is_unknown_was_not_sent() -> None:
    make_segment(outcome="sent")
    send(make_reachable(), outcome=Outcome.REJECTED)
    send(make_reachable(), outcome=Outcome.AMBIGUOUS)
    assert not PendingEvent.objects.exists()


@pytest.mark.parametrize(
    ("kind", "outcomes"),
    [
        ("delivered", {"sent", "delivered"}),
        ("opened", {"sent", "delivered", "opened"}),
        ("clicked", {"sent", "delivered", "opened", "clicked"}),
        ("dismissed", {"sent", "delivered", "dismissed"}),
    ],
)
def test_a_report_moves_its_person_by_all_that_it_proves(
    kind: str, outcomes: set[str]
) -> None:
    """Of a message that nobody knew to be sent."""
    delivery = factories.make_delivery(
        factories.make_campaign(), state="unknown", gated_at=timezone.now() - MINUTE
    )
    told = ("sent", "delivered", "opened", "clicked", "dismissed", "converted")
    segments = {one: make_segment(outcome=one) for one in told}
    now = timezone.now()
    record_engagement(
        delivery.pk, kind=kind, client_id="c1", at=now - MINUTE, received_at=now
    )
    process_pending(budget_s=5)
    assert {one for one in told if list_members(segments[one])} == outcomes


def test_a_goal_moves_its_person() -> None:
    now, contact = timezone.now(), factories.make_contact("ada")
    campaign = factories.make_campaign("Spring", goal_event="Order Completed")
    factories.make_delivery(campaign, contact, sent_at=now - MINUTE)
    segment = make_segment(outcome="converted", campaign="Spring")
    body = (
        b'{"batch": [{"type": "track", "event": "Order Completed", "userId": "ada",'
        b' "messageId": "o1"}]}'
    )
    batch = parse_batch(body, received_at=now, limits=Limits())
    record_events(batch.items, received_at=now, source="segment")
    process_pending(budget_s=5)
    assert list_members(segment) == {contact.pk}


def test_a_row_of_unopened_messages_ends_with_an_open() -> None:
    now, contact = timezone.now(), factories.make_contact()
    campaign = factories.make_campaign()
    first, last = (
        factories.make_delivery(
            campaign, contact, occurrence=str(days), sent_at=now - timedelta(days=days),
            gated_at=now - timedelta(days=days),
        )
        for days in (3, 2)
    )  # fmt: skip
    segment = make_segment(type="ignored", last=2)
    assert list_members(segment) == {contact.pk}
    record_engagement(
        last.pk, kind="opened", client_id="c1", at=now - MINUTE, received_at=now
    )
    process_pending(budget_s=5)
    assert list_members(segment) == set()


def test_messages_follow_a_merge_and_go_with_an_erasure() -> None:
    gone, stayed = factories.make_contact(), factories.make_contact()
    campaign = factories.make_campaign()
    factories.make_delivery(campaign, gone, opened_at=timezone.now() - MINUTE)
    factories.make_delivery(campaign, stayed, occurrence="2")
    segment = make_segment(outcome="sent", count={"op": "at_least", "n": 2})
    merge_contacts(source_id=gone.pk, target_id=stayed.pk, actor="rule")
    expire_memberships(read_clock())
    assert list_members(segment) == {stayed.pk}
    stayed.refresh_from_db()
    erase_contact(stayed, actor="test")
    refresh_segment(segment, at=read_clock())
    assert list_members(segment) == set()


def test_what_nobody_asks_for_leaves_nothing(django_assert_num_queries: Any) -> None:
    make_segment(outcome="opened")
    make_segment(type="event", name="app_open")
    send(make_reachable())
    assert not PendingEvent.objects.exists()
    with django_assert_num_queries(1):
        leave_outcomes({"sent": range(10_000)})


def test_ten_thousand_are_told_in_one_statement(
    django_assert_num_queries: Any,
) -> None:
    make_segment(outcome="sent")
    contact = factories.make_contact()
    with django_assert_num_queries(2):
        told = leave_outcomes({"sent": [contact.pk, *range(-9_999, 0)], "opened": [1]})
    assert told == 10_000


def test_stages_ask_too() -> None:
    opened = {"type": "message", "outcome": "opened"}
    stages = [
        {"key": key, "label": key, "rule": {"version": 1, "root": root}}
        for key, root in (("warm", opened), ("rest", {"type": "everyone"}))
    ]
    save_stages(stages, actor="test")
    build_stages(read_clock())
    now = timezone.now()
    delivery = factories.make_delivery(
        factories.make_campaign(), gated_at=now - MINUTE, sent_at=now - MINUTE
    )
    record_engagement(
        delivery.pk, kind="opened", client_id="c1", at=now, received_at=now
    )
    process_pending(budget_s=5)
    held = ContactStage.objects.get(contact=delivery.contact)
    assert (held.stage, held.reason) == (
        "warm",
        "after “message opened”, “Push Opened”",
    )


@pytest.mark.django_db(transaction=True)
def test_a_segment_made_beside_a_send_misses_nobody() -> None:
    contact, campaign = factories.make_contact(), factories.make_campaign()
    told, saved = threading.Event(), threading.Event()

    def finish() -> None:
        try:
            with transaction.atomic():
                hold_new_segments()
                factories.make_delivery(campaign, contact)
                assert leave_outcomes({"sent": [contact.pk]}) == 0
                told.set()
                saved.wait(5)
                # The build must wait for this, whatever it takes.
                threading.Event().wait(0.3)
        finally:
            connections.close_all()

    worker = threading.Thread(target=finish)
    worker.start()
    assert told.wait(5)
    rule = {"version": 1, "root": {"type": "message", "outcome": "sent"}}
    segment = save_segment(name="Sent", rule=rule, actor="test")
    saved.set()
    refresh_segment(segment, at=read_clock())
    worker.join()
    assert list_members(segment) == {contact.pk}
