"""How fast a sender may send."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from notifications.delivery.claim import take_tokens
from notifications.delivery.send import send_batch
from notifications.models import Delivery, Sender
from tests.notifications.factories import (
    LoggingChannel,
    make_campaign,
    make_reachable,
    make_sender,
    plan_for,
)

pytestmark = pytest.mark.django_db


def let_pass(sender: Sender, *, seconds: float) -> None:
    """As if the bucket had last been asked so long ago."""
    Sender.objects.filter(pk=sender.pk).update(
        refilled_at=F("refilled_at") - timedelta(seconds=seconds)
    )


def test_a_slow_sender_that_is_asked_often_still_sends() -> None:
    sender = make_sender(rate_per_min=6)
    assert take_tokens(sender, wanted=20) == 0
    taken = 0
    for _ in range(12):
        let_pass(sender, seconds=5)
        taken += take_tokens(sender, wanted=20)
    assert taken == 6


def test_a_bucket_holds_no_more_than_five_seconds_worth() -> None:
    sender = make_sender(rate_per_min=600)
    take_tokens(sender, wanted=100)
    let_pass(sender, seconds=3_600)
    assert take_tokens(sender, wanted=100) == 50


def test_what_the_rate_gives_back_keeps_its_strikes_and_its_reason() -> None:
    (row,) = plan_for(make_campaign(), make_reachable())
    Delivery.objects.filter(pk=row.pk).update(claims=2, reason="provider_refused")
    Sender.objects.update(rate_per_min=1, tokens=0, refilled_at=timezone.now())
    channel = LoggingChannel()
    send_batch(Sender.objects.get(), channel)
    row.refresh_from_db()
    assert channel.posted == []
    assert (row.state, row.claims, row.lease) == ("pending", 2, None)
    assert row.reason == "provider_refused"
