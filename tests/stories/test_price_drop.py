"""From a price in a shop's system to a push on the phone of who wanted the item."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm import tasks
from crm.api import auth
from notifications import pipeline
from notifications.campaigns.launch import launch_campaign
from notifications.delivery.send import send_batch
from notifications.models import Campaign, Delivery, Sender
from tests.factories import make_api_key, make_event
from tests.notifications.factories import (
    LoggingChannel,
    lift_limits,
    make_campaign,
    make_reachable,
)

pytestmark = pytest.mark.django_db
BODY = (
    "{{ item.name }} is now {{ event.new_price }} {{ event.currency }} "
    "(was {{ event.old_price }})"
)


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    rung: list[str] = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    auth.forget_keys()
    return rung


def say_price(price: str, *, stock: int = 3) -> None:
    key = make_api_key("track")
    row = {"code": "boot", "name": "Boot", "price": price, "currency": "EUR"}
    body = json.dumps({"items": [{**row, "stock": stock}]})
    answer = Client(headers={"Authorization": f"Bearer {key}"}).put(
        "/api/catalogs/products/items/", body, "application/json"
    )
    assert answer.status_code == 200


def start(event: str, body: str = BODY) -> Campaign:
    campaign = make_campaign(kind="event", trigger_event=event, body=body)
    return launch_campaign(campaign, by="test")


def run_all() -> list[str]:
    """What each worker would do, in turn; the texts that were posted."""
    tasks.announce_changes()
    pipeline.process_pending(budget_s=10)
    channel = LoggingChannel()
    send_batch(Sender.objects.get(), channel)
    return [push.body for push in channel.posted]


def test_a_price_drop_reaches_who_viewed_the_item_once(rings: list[str]) -> None:
    lift_limits()
    fan, _stranger = make_reachable(), make_reachable()
    seen: dict[str, Any] = {"properties": {"product_id": "boot"}}
    make_event(fan, "Product Viewed", occurred_at=timezone.now(), **seen)
    start("Price Dropped")
    say_price("150.00")
    assert run_all() == []
    say_price("120.00")
    assert run_all() == ["Boot is now 120 EUR (was 150)"]
    assert Delivery.objects.get().contact == fan
    assert "notifications.tasks.process_events" in rings
    # The same price said again is no news.
    say_price("120.00")
    assert run_all() == []


def test_a_return_to_stock_names_the_item_and_not_a_sold_out_one() -> None:
    lift_limits()
    fan = make_reachable()
    seen: dict[str, Any] = {"properties": {"sku": "boot"}}
    make_event(fan, "Product Added to Wishlist", occurred_at=timezone.now(), **seen)
    start("Back In Stock", "{{ item.name }} is back, {{ item.stock }} left")
    for stock in (3, 0, 2):
        say_price("150.00", stock=stock)
    assert run_all() == ["Boot is back, 2 left"]
    for stock in (0, 5, 0):
        say_price("150.00", stock=stock)
    assert run_all() == []
