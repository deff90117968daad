"""Made-up refunds and memberships of the sample shop, by a hash of who and what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from crm.events.schema import Item
from notifications.demo.dataset import Dataset, Order, Person
from notifications.demo.load import record_items, split_chunks
from notifications.demo.sample import draw

# Shares of orders that come back, wholly or in part, and of people with a membership.
ALL_BACK, SOME_BACK, MEMBERS = 0.02, 0.06, 0.15
TRIAL = timedelta(days=14)
# How old memberships are at most.
OLDEST_DAYS = 40


def load_purchases(dataset: Dataset, *, now: datetime) -> None:
    items = [
        *(item for order in dataset.orders for item in list_refunds(order, now=now)),
        *(item for one in dataset.people for item in list_membership(one, now=now)),
    ]
    for chunk in split_chunks(items):
        record_items(chunk, at=now)


def list_refunds(order: Order, *, now: datetime) -> Iterator[Item]:
    share = draw("refund", order.number)
    if share >= SOME_BACK:
        return
    part = 1 if share < ALL_BACK else draw("part", order.number)
    said = {
        "order_id": order.number,
        "refund_id": f"refund-{order.number}",
        "amount": round(float(order.total) * part, 2),
        "currency": "GBP",
    }
    at = order.at + timedelta(days=1 + 6 * draw("back", order.number))
    if at < now:
        yield make_event(order.customer, "Order Refunded", at, said)


def list_membership(person: Person, *, now: datetime) -> Iterator[Item]:
    """A trial of two weeks; most stay, some leave, one payment in ten fails."""
    key = person.external_id
    if draw("member", key) >= MEMBERS:
        return
    begins_at = now - timedelta(days=OLDEST_DAYS * draw("joined", key))
    ends_at = begins_at + TRIAL
    said: dict[str, Any] = {
        "subscription_id": f"club-{key}",
        "plan": "Trailhead Club",
        "amount": 4.9,
        "currency": "GBP",
        "interval": "month",
    }
    trial = {**said, "trial_ends_at": ends_at.isoformat()}
    yield make_event(key, "Trial Started", begins_at, trial)
    if ends_at >= now:
        return
    if draw("stays", key) < 0.6:
        yield make_event(key, "Trial Converted", ends_at - timedelta(hours=2), said)
        if draw("fails", key) < 0.1:
            at = min(now, ends_at + timedelta(days=1))
            yield make_event(key, "Payment Failed", at, said)
    elif draw("leaves", key) < 0.5:
        at = ends_at - timedelta(days=1)
        yield make_event(key, "Subscription Cancelled", at, said)


def make_event(key: str, name: str, at: datetime, properties: dict[str, Any]) -> Item:
    return Item(
        index=0,
        kind="track",
        name=name,
        user_id=key,
        anonymous_id="",
        previous_id="",
        message_id=f"sample-{name}-{key}-{at:%Y%m%d%H%M%S}",
        occurred_at=at,
        clock_skewed=False,
        properties=properties,
        traits={},
        context={},
    )
