"""A refund lowers what a message is said to have earned, and rewrites nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.events.merge import merge_contacts
from notifications.analytics.metrics import campaign_report, overview
from notifications.models import Campaign, Conversion
from tests.crm.events.calls import say
from tests.crm.purchases.shop import ada, take, tell
from tests.factories import NOON, make_campaign, make_contact, make_delivery

pytestmark = pytest.mark.django_db
GOAL = {"goal_event": "Order Completed"}
EUROS = {"order_id": "1", "total": 100, "currency": "EUR"}


def make_told_campaign() -> Campaign:
    campaign = make_campaign(**GOAL)
    make_delivery(campaign, make_contact("ada"))
    make_delivery(campaign, make_contact("bob"))
    bob = say(
        name="Order Completed",
        user_id="bob",
        message_id="b",
        properties={**EUROS, "order_id": "2", "total": 50},
    )
    take(tell("Order Completed", "a", **EUROS), bob)
    return campaign


def read_money(campaign: Campaign) -> tuple[Any, ...]:
    [money] = campaign_report(campaign, at=NOON).revenue
    return money.gross, money.refunded, money.total, money.per_send


def test_a_refund_lowers_revenue_and_the_conversion_stays_as_it_was() -> None:
    campaign = make_told_campaign()
    assert read_money(campaign) == (150, 0, 150, 75)

    take(tell("Order Refunded", "r", at=90, order_id="1", total=40, currency="EUR"))

    assert read_money(campaign) == (150, 40, 110, 55)
    assert sorted(Conversion.objects.values_list("value", flat=True)) == [50, 100]
    [shown] = overview(NOON + timedelta(hours=1), 7).revenue
    assert (shown.gross, shown.refunded, shown.total) == (150, 40, 110)


@pytest.mark.parametrize(
    ("_case", "name", "properties", "refunded"),
    [
        ("all of it", "Order Refunded", {}, 100),
        ("cancelled", "Order Cancelled", {}, 100),
        ("more than it was", "Order Refunded", {"total": 900}, 100),
        ("another currency", "Order Refunded", {"total": 40, "currency": "USD"}, 0),
        ("another order", "Order Refunded", {"total": 40, "order_id": "7"}, 0),
    ],
)
def test_what_is_given_back(
    _case: str, name: str, properties: dict[str, Any], refunded: int
) -> None:
    campaign = make_told_campaign()

    take(tell(name, "r", at=90, **{"order_id": "1", **properties}))

    assert read_money(campaign)[1] == refunded


def test_a_refund_that_comes_before_its_order_lowers_it_too() -> None:
    campaign = make_campaign(**GOAL)
    make_delivery(campaign, make_contact("ada"))

    take(tell("Order Refunded", "r", at=2, order_id="1", total=40))
    take(tell("Order Completed", "a", **EUROS))

    assert read_money(campaign)[:3] == (100, 40, 60)


def test_a_goal_that_is_no_order_keeps_its_value() -> None:
    campaign = make_campaign(goal_event="Deposit Paid")
    make_delivery(campaign, make_contact("ada"))

    take(tell("Deposit Paid", "d", total=20), tell("Order Refunded", "r", order_id="1"))

    assert read_money(campaign)[:3] == (20, 0, Decimal(20))


def test_revenue_stays_net_where_its_person_becomes_another() -> None:
    campaign = make_told_campaign()
    take(tell("Order Refunded", "r", at=1, order_id="1", total=40))
    other = make_contact("ann")

    merge_contacts(source_id=ada().pk, target_id=other.pk, actor="test")

    assert read_money(campaign)[:3] == (150, 40, 110)
