"""A provider that is down costs few messages, and is asked one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications.channels.base import Outcome, OutgoingPush, SendResult
from notifications.delivery.breaker import is_outage
from notifications.delivery.send import send_due
from notifications.models import Alert, Breaker, Campaign, Delivery, Sender
from tests.notifications.factories import (
    LoggingChannel,
    answer_sent,
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


def plan_many(count: int) -> Campaign:
    topic = make_topic()
    campaign = make_campaign()
    plan_for(campaign, *[make_reachable(topic=topic) for _ in range(count)])
    return campaign


def send_all(channel: LoggingChannel) -> None:
    send_due(budget_s=30, open_one=lambda sender: channel)


def let_breaker_pass() -> None:
    Breaker.objects.update(open_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("outcome", "ends_as"),
    [(Outcome.AMBIGUOUS, "unknown"), (Outcome.NOT_ACCEPTED, "pending")],
)
def test_a_provider_that_is_down_costs_one_batch_then_one_probe(
    outcome: Outcome, ends_as: str
) -> None:
    campaign = plan_many(60)
    down = LoggingChannel(lambda push: answer_with(outcome, code="DOWN"))
    send_all(down)
    assert len(down.posted) == 20
    assert Alert.objects.open().count() == 1
    send_all(down)
    assert len(down.posted) == 20
    let_breaker_pass()
    send_all(down)
    assert len(down.posted) == 21
    states = Counter(campaign.deliveries.values_list("state", flat=True))
    assert states["pending"] >= 39
    assert states[ends_as] >= 21


def test_after_a_probe_that_was_taken_everything_goes() -> None:
    campaign = plan_many(45)
    send_all(LoggingChannel(lambda push: answer_with(Outcome.NOT_SENT)))
    down = LoggingChannel(lambda push: answer_with(Outcome.NOT_ACCEPTED, code="DOWN"))
    Delivery.objects.filter(campaign=campaign).update(due_at=timezone.now())
    send_all(down)
    let_breaker_pass()
    Delivery.objects.filter(campaign=campaign).update(due_at=timezone.now())
    up = LoggingChannel()
    send_all(up)
    assert len(up.posted) == 45
    assert not Breaker.objects.exists()
    assert not Alert.objects.open().exists()


def test_a_few_silent_answers_among_many_open_nothing() -> None:
    plan_many(20)
    seen: list[str] = []

    def answer(push: object) -> object:
        seen.append("")
        return (
            answer_with(Outcome.AMBIGUOUS) if len(seen) % 4 == 0 else answer_sent(push)
        )

    send_all(LoggingChannel(answer))
    assert not Breaker.objects.exists()


def test_a_trickle_that_always_fails_opens_it_too() -> None:
    """One message a batch, minutes apart: each alone says nothing."""
    sent_one_by_one(9, lambda push: answer_with(Outcome.AMBIGUOUS, code="TIMEOUT"))
    breaker = Breaker.objects.get()
    assert breaker.reason == "5 of 5 messages got no answer or an error: TIMEOUT"
    assert Delivery.objects.filter(state="unknown").count() == 5
    assert Delivery.objects.pending().count() == 4
    assert Alert.objects.open().count() == 1
    assert Sender.objects.get().recent_answers == ""


def test_a_trickle_opens_it_after_a_day_of_good_answers() -> None:
    sent_one_by_one(3, answer_sent)
    assert Sender.objects.get().recent_answers == ""
    sent_one_by_one(1, lambda push: answer_with(Outcome.AMBIGUOUS))
    sent_one_by_one(30, answer_sent)
    assert Sender.objects.get().recent_answers == "x" + "." * 30
    sent_one_by_one(4, lambda push: answer_with(Outcome.NOT_ACCEPTED))
    assert not Breaker.objects.exists()
    sent_one_by_one(1, lambda push: answer_with(Outcome.NOT_ACCEPTED))
    assert Breaker.objects.exists()


def sent_one_by_one(count: int, answer: Callable[[OutgoingPush], SendResult]) -> None:
    """Batches of one message each, as triggers make them."""
    campaign, topic = make_campaign(), make_topic()
    for number in range(count):
        plan_for(campaign, make_reachable(topic=topic), occurrence=str(number))
        send_all(LoggingChannel(answer))


@pytest.mark.parametrize(
    ("_case", "window", "is_open"),
    [
        ("nothing yet", "", False),
        ("too few to tell", "xxxx", False),
        ("just enough", "xxxxx", True),
        ("half", "x.x.x.", False),
        ("over half", "xx.x.xx", True),
        ("the last few after many good ones", "." * 95 + "xxxxx", True),
        ("one good one among the last few", "." * 90 + "xxxx.xxxx", False),
    ],
)
def test_most_or_all_of_the_last_few_are_an_outage(
    _case: str, window: str, is_open: bool
) -> None:
    assert is_outage(window) is is_open


def test_failures_late_in_a_mixed_batch_are_no_run() -> None:
    """Timeouts come last: five of twenty are a quarter, however they are ordered."""
    plan_many(20)
    seen: list[str] = []

    def answer(push: OutgoingPush) -> SendResult:
        seen.append("")
        return answer_sent(push) if len(seen) <= 15 else answer_with(Outcome.AMBIGUOUS)

    send_all(LoggingChannel(answer))
    assert not Breaker.objects.exists()


def test_a_refusal_or_two_of_a_trickle_open_nothing() -> None:
    """One triggered message that meets silence says little about the provider."""
    plan_many(2)
    send_all(LoggingChannel(lambda push: answer_with(Outcome.AMBIGUOUS)))
    assert not Breaker.objects.exists()
