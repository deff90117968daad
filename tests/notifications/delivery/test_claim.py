"""How fast a sender may send."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from notifications.delivery.claim import take_tokens
from notifications.models import Sender
from tests.notifications.factories import make_sender

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
