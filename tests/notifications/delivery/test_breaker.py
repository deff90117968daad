"""A provider that is down costs few messages, and is asked one at a time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications.channels.base import Outcome
from notifications.delivery.send import send_due
from notifications.models import Alert, Breaker, Campaign, Delivery
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


def test_a_refusal_or_two_of_a_trickle_open_nothing() -> None:
    """One triggered message that meets silence says little about the provider."""
    plan_many(2)
    send_all(LoggingChannel(lambda push: answer_with(Outcome.AMBIGUOUS)))
    assert not Breaker.objects.exists()
