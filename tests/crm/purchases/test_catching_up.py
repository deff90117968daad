from __future__ import annotations

import pytest
from django.core.management import call_command

from crm.models import Order, OrderEntry, Subscription, SubscriptionEntry
from crm.purchases import catching_up
from tests.crm.purchases.shop import read_orders, take, tell

pytestmark = pytest.mark.django_db


def test_events_of_before_are_kept_once_whatever_the_chunks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catching_up, "CHUNK", 1)
    take(
        tell("Order Completed", "a", order_id="1", total=100),
        tell("Order Completed", "b", order_id="2", total=50),
        tell("Order Refunded", "c", at=1, order_id="1", total=30),
        tell("Trial Started", "d"),
    )
    expected = read_orders()
    for model in (Order, OrderEntry, Subscription, SubscriptionEntry):
        model.objects.all().delete()

    call_command("keep_purchases")
    call_command("keep_purchases")

    assert read_orders() == expected
    assert Subscription.objects.get().status == "trialing"
    assert capsys.readouterr().out.splitlines() == [
        "4 entries of orders and subscriptions are new.",
        "0 entries of orders and subscriptions are new.",
    ]
