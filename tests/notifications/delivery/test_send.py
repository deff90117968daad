"""One batch, claim to finish, with only the provider made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm.models import Contact, Device
from notifications.channels.base import AddressState, Breaker, Outcome
from notifications.delivery.claim import claim_deliveries
from notifications.delivery.send import send_batch, send_due
from notifications.models import (
    Alert,
    Attempt,
    Campaign,
    Delivery,
    FrequencyCap,
    RenderedMessage,
    Sender,
    Switch,
)
from notifications.models import Breaker as BreakerRow
from preferences.models import Subscription
from tests.factories import (
    make_catalog,
    make_contact,
    make_device,
    make_event,
    make_item,
    make_product,
)
from tests.notifications.factories import (
    LoggingChannel,
    answer_with,
    lift_limits,
    make_campaign,
    make_reachable,
    make_topic,
    plan_for,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(db: None) -> None:
    lift_limits()


def send_all(channel: LoggingChannel) -> None:
    send_due(budget_s=30, open_one=lambda sender: channel)


def outcome(row: Delivery) -> tuple[str, str]:
    row.refresh_from_db()
    return row.state, row.reason


def test_a_due_message_is_posted_once_and_ends_as_sent() -> None:
    channel = LoggingChannel()
    (row,) = plan_for(make_campaign(title="Hi"), make_reachable())
    send_all(channel)
    send_all(channel)
    assert [push.title for push in channel.posted] == ["Hi"]
    assert outcome(row) == ("sent", "")
    attempt = Attempt.objects.get(delivery=row)
    assert (attempt.state, attempt.provider_id) == ("sent", f"m/{row.pk}")
    assert RenderedMessage.objects.get(pk=row.pk).fields["body"] == "World"
    assert row.sent_at is not None
    assert row.lease is None


def test_a_message_due_later_waits() -> None:
    channel = LoggingChannel()
    later = timezone.now() + timedelta(hours=1)
    (row,) = plan_for(make_campaign(), make_reachable(), due_at=later)
    send_all(channel)
    assert channel.posted == []
    assert outcome(row) == ("pending", "")


def test_nothing_leaves_without_consent() -> None:
    channel = LoggingChannel()
    person = make_contact()
    make_device(person)
    (row,) = plan_for(make_campaign(), person)
    send_all(channel)
    assert channel.posted == []
    assert outcome(row) == ("skipped", "no_consent")


def test_an_opt_out_after_planning_is_obeyed() -> None:
    channel = LoggingChannel()
    person = make_reachable()
    (row,) = plan_for(make_campaign(), person)
    Subscription.objects.filter(contact=person).update(state="unsubscribed")
    send_all(channel)
    assert outcome(row) == ("skipped", "no_consent")


@pytest.mark.parametrize(
    ("_case", "devices", "reason"),
    [
        ("never had one", [], "no_address"),
        ("said no to the system", [{"permission": "denied"}], "permission_denied"),
        ("removed the app", [{"state": "gone"}], "dead_address"),
    ],
)
def test_a_person_out_of_reach_is_skipped_with_the_reason(
    _case: str, devices: list[dict[str, Any]], reason: str
) -> None:
    person = make_reachable()
    Device.objects.filter(contact=person).delete()
    for fields in devices:
        make_device(person, **fields)
    (row,) = plan_for(make_campaign(), person)
    send_all(LoggingChannel())
    assert outcome(row) == ("skipped", reason)


def test_a_purchase_just_before_the_send_cancels_the_reminder() -> None:
    channel = LoggingChannel()
    person = make_reachable()
    campaign = make_campaign(goal_event="Order Completed")
    cart_at = timezone.now() - timedelta(minutes=20)
    (row,) = plan_for(campaign, person, trigger_event_at=cart_at)
    make_event(person, "Order Completed", occurred_at=timezone.now())
    send_all(channel)
    assert channel.posted == []
    assert outcome(row) == ("cancelled", "exit_goal")


def test_a_purchase_before_the_trigger_cancels_nothing() -> None:
    person = make_reachable()
    campaign = make_campaign(goal_event="Order Completed")
    cart_at = timezone.now() - timedelta(minutes=20)
    make_event(person, "Order Completed", occurred_at=cart_at - timedelta(seconds=1))
    (row,) = plan_for(campaign, person, trigger_event_at=cart_at)
    send_all(LoggingChannel())
    assert outcome(row) == ("sent", "")


def test_two_messages_in_one_batch_share_one_slot_and_the_better_one_wins() -> None:
    FrequencyCap.objects.create(name="1 a day", kind="rolling", limit=1, unit="day")
    person = make_reachable()
    (low,) = plan_for(make_campaign(priority=0), person)
    (high,) = plan_for(make_campaign(priority=5), person)
    send_all(LoggingChannel())
    assert outcome(high) == ("sent", "")
    assert outcome(low) == ("skipped", "capped")


def test_what_ended_unknown_counts_in_caps() -> None:
    FrequencyCap.objects.create(name="1 a day", kind="rolling", limit=1, unit="day")
    person = make_reachable()
    (first,) = plan_for(make_campaign(), person)
    send_all(LoggingChannel(lambda push: answer_with(Outcome.AMBIGUOUS)))
    assert outcome(first) == ("unknown", "")
    (second,) = plan_for(make_campaign(), person)
    send_all(LoggingChannel())
    assert outcome(second) == ("skipped", "capped")


def test_a_template_fault_fails_its_own_row_only() -> None:
    channel = LoggingChannel()
    campaign = make_campaign(title="Hi {{ customer.first_name }}")
    named = make_reachable(traits={"first_name": "Ada"})
    unnamed = make_reachable()
    rows = plan_for(campaign, named, unnamed)
    send_all(channel)
    assert [push.title for push in channel.posted] == ["Hi Ada"]
    assert [outcome(row) for row in rows] == [
        ("sent", ""),
        ("failed", "template_missing_value"),
    ]
    assert "first_name" in rows[1].detail


def test_a_dead_token_retires_the_device_and_the_next_one_is_tried() -> None:
    person = make_reachable()
    old = person.devices.get()
    Device.objects.filter(pk=old.pk).update(
        registered_at=timezone.now() - timedelta(days=3)
    )
    new_seen = timezone.now() - timedelta(days=2)
    spare = make_device(person, last_seen_at=new_seen)
    dead = answer_with(
        Outcome.DEAD_ADDRESS, code="UNREGISTERED", address_state=AddressState.GONE
    )
    sent = answer_with(Outcome.SENT)
    channel = LoggingChannel(lambda push: dead if push.token == old.token else sent)
    (row,) = plan_for(make_campaign(), person)
    send_all(channel)
    assert [push.token for push in channel.posted] == [old.token, spare.token]
    assert outcome(row) == ("sent", "")
    old.refresh_from_db()
    assert old.state == Device.State.GONE


def test_a_token_registered_again_meanwhile_survives() -> None:
    person = make_reachable()
    device = person.devices.get()
    Device.objects.filter(pk=device.pk).update(
        registered_at=timezone.now() + timedelta(minutes=1)
    )
    dead = answer_with(Outcome.DEAD_ADDRESS, address_state=AddressState.GONE)
    plan_for(make_campaign(), person)
    send_all(LoggingChannel(lambda push: dead))
    device.refresh_from_db()
    assert device.state == Device.State.ACTIVE


def test_a_quota_answer_waits_as_told_and_spends_nothing() -> None:
    slow = answer_with(Outcome.NOT_SENT, code="QUOTA_EXCEEDED", retry_after_s=120.0)
    (row,) = plan_for(make_campaign(), make_reachable())
    send_all(LoggingChannel(lambda push: slow))
    assert outcome(row) == ("pending", "")
    assert row.due_at > timezone.now() + timedelta(seconds=119)
    assert (row.posts, row.tries) == (1, 0)


def test_a_config_fault_opens_the_breaker_and_alerts_once() -> None:
    fault = answer_with(Outcome.CONFIG, code="UNAUTHENTICATED", breaker=Breaker.SENDER)
    channel = LoggingChannel(lambda push: fault)
    people = [make_reachable() for _ in range(3)]
    rows = plan_for(make_campaign(), *people)
    send_all(channel)
    send_all(channel)
    assert len(channel.posted) == 3
    assert {outcome(row)[0] for row in rows} == {"pending"}
    assert BreakerRow.objects.count() == 1
    assert Alert.objects.open().count() == 1


def test_all_devices_of_a_person_are_one_message() -> None:
    channel = LoggingChannel()
    person = make_reachable()
    make_device(person)
    (row,) = plan_for(make_campaign(device_target="all"), person)
    send_all(channel)
    assert len(channel.posted) == 2
    assert outcome(row) == ("sent", "")
    assert sorted(row.attempts.values_list("number", "state")) == [
        (1, "sent"),
        (2, "sent"),
    ]


@pytest.mark.parametrize("scope", ["all", "channel:push"])
def test_a_kill_switch_stops_every_claim(scope: str) -> None:
    channel = LoggingChannel()
    (row,) = plan_for(make_campaign(), make_reachable())
    Switch.objects.create(scope=scope)
    send_all(channel)
    assert channel.posted == []
    assert outcome(row) == ("pending", "")


def test_a_paused_campaign_stands_and_another_goes_on() -> None:
    channel = LoggingChannel()
    paused = make_campaign()
    (standing,) = plan_for(paused, make_reachable())
    (going,) = plan_for(make_campaign(), make_reachable())
    Campaign.objects.get(pk=paused.pk).pause(at=timezone.now(), reason="test")
    send_all(channel)
    assert outcome(standing) == ("pending", "")
    assert outcome(going) == ("sent", "")


def test_a_message_past_its_time_expires() -> None:
    channel = LoggingChannel()
    due = timezone.now() - timedelta(hours=3)
    (row,) = plan_for(make_campaign(ttl_s=3600), make_reachable(), due_at=due)
    send_all(channel)
    assert channel.posted == []
    assert outcome(row) == ("expired", "")


def test_a_worker_that_lost_its_lease_changes_nothing() -> None:
    (row,) = plan_for(make_campaign(), make_reachable())
    sender = Sender.objects.get()

    def steal(push: Any) -> Any:
        Delivery.objects.filter(pk=row.pk).update(
            state="unknown", lease=None, lease_until=None
        )
        return answer_with(Outcome.SENT)

    send_batch(sender, LoggingChannel(steal))
    assert outcome(row) == ("unknown", "")


def test_the_rate_of_a_sender_holds_back_the_rest() -> None:
    channel = LoggingChannel()
    people = [make_reachable() for _ in range(5)]
    rows = plan_for(make_campaign(), *people)
    Sender.objects.update(rate_per_min=24, tokens=2, refilled_at=timezone.now())
    send_batch(Sender.objects.get(), channel)
    assert len(channel.posted) == 2
    states = sorted(outcome(row)[0] for row in rows)
    assert states == ["pending"] * 3 + ["sent"] * 2


def test_the_number_of_queries_does_not_grow_with_the_batch(
    django_assert_max_num_queries: Any,
) -> None:
    topic = make_topic()
    people = [make_reachable(topic=topic) for _ in range(20)]
    plan_for(make_campaign(goal_event="Bought"), *people)
    sender = Sender.objects.get()
    with django_assert_max_num_queries(47):
        send_batch(sender, LoggingChannel())
    assert Delivery.objects.filter(state="sent").count() == 20


def test_a_batch_asks_the_catalog_once(django_assert_max_num_queries: Any) -> None:
    people = [make_reachable() for _ in range(10)]
    for number, person in enumerate(people):
        make_product(f"p{number}", name=f"Boot {number}")
        make_event(person, properties={"products": [{"code": f"p{number}"}]})
    body = "{{ catalog.products[last_items[0].code].name }}"
    plan_for(make_campaign(body=body), *people)
    channel = LoggingChannel()
    sender = Sender.objects.get()
    with django_assert_max_num_queries(47):
        send_batch(sender, channel)
    assert {push.body for push in channel.posted} == {f"Boot {n}" for n in range(10)}


def test_look_ups_nobody_could_guess_cost_a_batch_one_query_each(
    django_assert_max_num_queries: Any,
) -> None:
    news = make_catalog("news")
    people = [make_reachable() for _ in range(10)]
    for number, person in enumerate(people):
        make_item(news, f"a{number}", name=f"Story {number}", category=f"b{number}")
        make_item(news, f"b{number}", name=f"Series {number}")
        Contact.objects.filter(pk=person.pk).update(traits={"read": f"a{number}"})
    body = "{{ catalog.news[customer.read].name }}, "
    body += "{{ catalog.news[catalog.news[customer.read].category].name }}"
    plan_for(make_campaign(body=body), *people)
    channel = LoggingChannel()
    with django_assert_max_num_queries(47):
        send_batch(Sender.objects.get(), channel)
    assert {push.body for push in channel.posted} == {
        f"Story {n}, Series {n}" for n in range(10)
    }


def test_an_archived_item_is_missing_for_that_message_alone() -> None:
    archived = make_product("gone", archived_at=timezone.now())
    make_product("here", name="Boot")
    people = [make_reachable(), make_reachable()]
    for person, code in zip(people, ("gone", "here"), strict=True):
        Contact.objects.filter(pk=person.pk).update(traits={"code": code})
    plan_for(make_campaign(body="{{ catalog.products[customer.code].name }}"), *people)
    channel = LoggingChannel()
    send_batch(Sender.objects.get(), channel)
    assert [push.body for push in channel.posted] == ["Boot"]
    assert archived.name not in str(channel.posted)
    assert Delivery.objects.get(state="failed").reason == "template_missing_value"


def test_a_row_that_crashed_its_worker_is_claimed_alone_and_last() -> None:
    people = [make_reachable() for _ in range(3)]
    rows = plan_for(make_campaign(), *people)
    suspects = {row.pk for row in rows[:2]}
    Delivery.objects.filter(pk__in=suspects).update(claims=1)
    sender = Sender.objects.get()
    claims = [claim_deliveries(sender, limit=20).deliveries for _ in range(4)]
    assert [len(taken) for taken in claims] == [1, 1, 1, 0]
    assert claims[0][0].pk == rows[2].pk


def test_a_transactional_row_that_crashed_waits_for_no_campaign() -> None:
    people = [make_reachable() for _ in range(3)]
    rows = plan_for(make_campaign(), *people)
    Delivery.objects.filter(pk=rows[2].pk).update(
        claims=1, purpose_class="transactional"
    )
    first = claim_deliveries(Sender.objects.get(), limit=20).deliveries
    assert [row.pk for row in first] == [rows[2].pk]
