"""What waited past its time ends, though nobody claims it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notifications.campaigns.launch import pause_campaign
from notifications.delivery.breaker import open_breaker
from notifications.delivery.claim import claim_deliveries
from notifications.delivery.expire import expire_overdue
from notifications.delivery.switches import stop_sending
from notifications.models import Delivery
from notifications.pipeline import tick
from tests.notifications.factories import make_campaign, make_reachable, plan_for

pytestmark = pytest.mark.django_db


def make_overdue(**fields: object) -> Delivery:
    (row,) = plan_for(make_campaign(), make_reachable())
    past = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(pk=row.pk).update(**({"expires_at": past} | fields))
    return row


@pytest.mark.parametrize(
    ("standing", "because"),
    [
        ("nothing", "Its time had passed."),
        ("sender", "Its time had passed while its sender was paused."),
        ("campaign", "Its time had passed while its campaign was paused."),
        ("switch", "Its time had passed while a kill switch was off."),
        ("breaker", "Its time had passed while its sender could not send."),
    ],
)
def test_an_overdue_row_expires_whatever_its_sender_stands_behind(
    standing: str, because: str
) -> None:
    row = make_overdue(reason="quiet_hours")
    if standing == "sender":
        row.sender.pause(at=timezone.now(), reason="Typo")
    elif standing == "campaign" and row.campaign:
        pause_campaign(row.campaign, by="test", reason="Typo")
    elif standing == "switch":
        stop_sending(f"sender:{row.sender_id}", by="test")
    elif standing == "breaker":
        open_breaker(row.sender, platform="", reason="503")

    tick()

    row.refresh_from_db()
    assert (row.state, row.reason, row.detail) == ("expired", "", because)
    assert row.finished_at is not None


def test_what_may_have_been_sent_ends_as_unknown() -> None:
    row = make_overdue(maybe_sent=True)
    assert expire_overdue() == 1
    row.refresh_from_db()
    assert (row.state, row.detail) == ("unknown", "Not sent again.")


def test_what_has_time_left_stays() -> None:
    row = make_overdue(expires_at=timezone.now() + timedelta(minutes=1))
    assert expire_overdue() == 0
    row.refresh_from_db()
    assert row.state == "pending"


def test_a_row_in_hand_is_left_to_its_gate() -> None:
    row = make_overdue()
    assert len(claim_deliveries(row.sender, limit=10).deliveries) == 1
    assert expire_overdue() == 0


def test_batches_are_bounded_and_begin_with_the_oldest() -> None:
    rows = [
        make_overdue(expires_at=timezone.now() - timedelta(minutes=age))
        for age in (1, 3, 2)
    ]
    assert expire_overdue(limit=2) == 2
    (left,) = Delivery.objects.pending()
    assert left.pk == rows[0].pk
    assert (expire_overdue(limit=2), expire_overdue(limit=2)) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_locks_is_waited_for_by_nobody() -> None:
    row = make_overdue()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "SELECT FROM notifications_delivery WHERE id = %s FOR UPDATE", [row.pk]
        )
        assert expire_overdue() == 0
        cursor.execute("ROLLBACK")
    other.close()
    assert expire_overdue() == 1
