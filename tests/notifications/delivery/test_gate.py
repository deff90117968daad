"""What the gate does with rows that cannot simply go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from notifications.delivery.send import send_due
from notifications.models import Breaker, Delivery, Sender
from tests.factories import make_device
from tests.notifications.factories import (
    LoggingChannel,
    lift_limits,
    make_campaign,
    make_reachable,
    plan_for,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(db: None) -> None:
    lift_limits()


@pytest.mark.parametrize("target", ["last_used", "all"])
def test_beside_a_blocked_platform_the_other_device_gets_it_at_once(
    target: str,
) -> None:
    channel = LoggingChannel()
    person = make_reachable()
    spare = person.devices.get()
    seen = timezone.now() + timedelta(minutes=1)
    make_device(person, platform="ios", last_seen_at=seen)
    (row,) = plan_for(make_campaign(device_target=target), person)
    now = timezone.now()
    Breaker.objects.create(
        sender=Sender.objects.get(),
        platform="ios",
        reason="APNs key",
        opened_at=now,
        open_until=now + timedelta(minutes=5),
    )
    send_due(budget_s=2, open_one=lambda sender: channel)
    assert [push.token for push in channel.posted] == [spare.token]
    row.refresh_from_db()
    assert row.state == "sent"


def test_a_resend_that_can_no_longer_be_rendered_ends_unknown() -> None:
    campaign = make_campaign(
        title="Hi {{ customer.first_name }}", purpose_class="transactional"
    )
    (row,) = plan_for(campaign, make_reachable())
    Delivery.objects.filter(pk=row.pk).update(maybe_sent=True, tries=1, posts=1)
    send_due(budget_s=2, open_one=lambda sender: LoggingChannel())
    row.refresh_from_db()
    assert (row.state, row.reason) == ("unknown", "")


def test_behind_an_open_breaker_nothing_waits_beyond_its_expiry() -> None:
    (row,) = plan_for(make_campaign(ttl_s=60), make_reachable())
    now = timezone.now()
    Breaker.objects.create(
        sender=Sender.objects.get(),
        platform="android",
        reason="FCM key",
        opened_at=now,
        open_until=now + timedelta(minutes=5),
    )
    send_due(budget_s=2, open_one=lambda sender: LoggingChannel())
    row.refresh_from_db()
    assert (row.state, row.due_at) == ("pending", row.expires_at)
