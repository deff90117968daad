"""The sample shop of a first start: people, a fortnight of browsing, campaigns.

Everything in it is made up, goes in by the product's own doors, and is sent by
the real engine to the sandbox as soon as the worker starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from crm.clock import read_clock
from crm.events.schema import Item
from crm.quality.counting import count_due_days
from notifications import pipeline
from notifications.campaigns.compose import (
    Definition,
    Text,
    save_campaign,
    save_template,
)
from notifications.campaigns.launch import launch_campaign
from notifications.demo.computed import define_traits
from notifications.demo.dataset import Dataset, Person, build_dataset
from notifications.demo.load import (
    describe_place,
    ensure_shop,
    load_catalog,
    load_orders,
    load_people,
    record_items,
    split_chunks,
)
from notifications.demo.purchases import load_purchases
from notifications.demo.sample import PRODUCTS, draw, make_rows
from preferences.centers import ensure_default_center
from segments.editing import save_segment
from segments.membership import refresh_segment
from segments.models import Segment

PEOPLE = 240
FIRST_NAMES = (
    *("Ada", "Alan", "Anna", "Ben", "Chloe", "Daniel", "Emma", "Farah", "Grace"),
    *("Hugo", "Ines", "Jonas", "Kim", "Lena", "Marco", "Nora", "Omar", "Priya"),
    *("Rosa", "Sam", "Tess", "Umar", "Vera", "Will", "Yuki", "Zoe"),
)
LAST_NAMES = (
    *("Adams", "Becker", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hughes"),
    *("Ito", "Jansen", "Khan", "Lopez", "Moreau", "Novak", "Owens", "Patel", "Rossi"),
    *("Schmidt", "Tanaka", "Visser", "Walker", "Young"),
)

SEGMENTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "Lapsed buyers",
        "Bought before, but not in the last 30 days.",
        {
            "all": [
                {"type": "event", "name": "Order Completed"},
                {
                    "type": "not_performed",
                    "name": "Order Completed",
                    "within": {"amount": 30, "unit": "days"},
                },
            ],
        },
    ),
    (
        "Open carts",
        "Put something into the cart in the last 7 days and did not order since.",
        {
            "all": [
                {
                    "type": "event",
                    "name": "Product Added",
                    "within": {"amount": 7, "unit": "days"},
                },
                {
                    "type": "event",
                    "name": "Order Completed",
                    "count": {"op": "exactly", "n": 0},
                    "within": {"amount": 7, "unit": "days"},
                },
            ],
        },
    ),
    (
        "Big spenders",
        "Spent more than £400 in all, net of refunds.",
        {
            "type": "orders",
            "measure": "net",
            "op": "more_than",
            "n": 400,
            "currency": "GBP",
        },
    ),
    (
        "Quiet app users",
        "Have not opened the app in the last 7 days.",
        {
            "type": "not_performed",
            "name": "app_open",
            "within": {"amount": 7, "unit": "days"},
        },
    ),
    (
        "Ordered this week",
        "Ordered in the last 7 days.",
        {
            "type": "event",
            "name": "Order Completed",
            "within": {"amount": 7, "unit": "days"},
        },
    ),
)


def load_shop() -> int:
    """Fill an empty database with the sample shop; answers how many people."""
    now = read_clock()
    dataset = build_dataset(make_rows(PEOPLE), now=now)
    ensure_shop()
    load_catalog(dataset)
    load_people(dataset, progress=ignore, describe=describe_person)
    load_orders(dataset, progress=ignore)
    load_browsing(dataset, now=now)
    load_purchases(dataset, now=now)
    for name, text, root in SEGMENTS:
        segment = save_segment(
            name=name,
            description=text,
            rule={"version": 1, "root": root},
            actor="sample",
        )
        refresh_segment(segment, at=now)
    pipeline.process_pending(budget_s=60)
    # The data quality page has something to show at once.
    count_due_days(now=now, budget_s=5)
    define_traits(at=now)
    write_campaigns()
    return len(dataset.people)


def ignore(count: int) -> None:
    """Nobody watches a first start closely enough for a bar."""


def describe_person(person: Person) -> dict[str, Any]:
    """A made-up profile, the same on every machine."""
    key = person.external_id
    first = FIRST_NAMES[int(draw("first", key) * len(FIRST_NAMES))]
    last = LAST_NAMES[int(draw("last", key) * len(LAST_NAMES))]
    return {
        **describe_place(person),
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}.{key}@people.example".lower(),
        "sample": True,
    }


def load_browsing(dataset: Dataset, *, now: datetime) -> None:
    """App opens, views and cart additions of the last two weeks."""
    items = [
        item for person in dataset.people for item in _list_visits(person, now=now)
    ]
    for chunk in split_chunks(items):
        record_items(chunk, at=now)


def _list_visits(person: Person, *, now: datetime) -> Iterator[Item]:
    key = person.external_id
    for visit in range(int(draw("visits", key) * 5)):
        at = now - timedelta(days=14 * draw("visit", key, visit), minutes=20)
        code, _, price, category = PRODUCTS[
            int(draw("viewed", key, visit) * len(PRODUCTS))
        ]
        product = {"code": code, "price": float(price), "category": category}
        yield _build_event(key, "app_open", at, {}, visit)
        yield _build_event(
            key, "Product Viewed", at + timedelta(minutes=2), product, visit
        )
        if draw("added", key, visit) < 0.3:
            yield _build_event(
                key, "Product Added", at + timedelta(minutes=5), product, visit
            )


def _build_event(
    key: str, name: str, at: datetime, properties: dict[str, Any], visit: int
) -> Item:
    return Item(
        index=0,
        kind="track",
        name=name,
        user_id=key,
        anonymous_id="",
        previous_id="",
        message_id=f"sample-{name}-{key}-{visit}",
        occurred_at=at,
        clock_skewed=False,
        properties=properties,
        traits={},
        context={},
    )


def write_campaigns() -> None:
    """One that is sent at first start, one that waits for carts, one to finish."""
    topics = {
        topic.key: topic for topic in ensure_default_center(ensure_shop()).topics.all()
    }
    segments = {segment.name: segment for segment in Segment.objects.all()}
    save_template(
        None,
        name="order-shipped",
        purpose_class="transactional",
        texts=(Text(SHIPPED),),
        by="sample",
    )
    shipped = save_campaign(
        Definition(
            name="Your order is on its way",
            columns={
                "segment": segments["Ordered this week"],
                "purpose_class": "transactional",
                "topic": topics["order-updates"],
                "kind": "once",
                "relevance": "segment",
                "exit_on_goal": False,
            },
            texts=(Text(ON_ITS_WAY),),
        ),
        by="sample",
    )
    cart = save_campaign(
        Definition(
            name="Cart reminder",
            columns={
                "kind": "event",
                "trigger_event": "Product Added",
                "trigger_delay_s": 15 * 60,
                "reentry": "every",
                "reentry_gap_s": 24 * 3600,
                "topic": topics["promotions"],
                "goal_event": "Order Completed",
                "ttl_s": 4 * 3600,
                "relevance": "trigger",
            },
            texts=(Text(CART),),
        ),
        by="sample",
    )
    save_campaign(
        Definition(
            name="Win-back",
            columns={
                "segment": segments["Lapsed buyers"],
                "topic": topics["promotions"],
                "kind": "once",
                "goal_event": "Order Completed",
            },
            texts=(Text(WIN_BACK),),
        ),
        by="sample",
    )
    launch_campaign(shipped, by="sample")
    launch_campaign(cart, by="sample")


SHIPPED = {
    "title": "Your order {{ event.order_id }} is on its way 📦",
    "body": "It should be with you {{ event.arrives | default: 'in two days' }}.",
    "link": "myapp://orders/{{ event.order_id }}",
}
ON_ITS_WAY = {
    "title": "On its way, {first_name} 📦",
    "body": "Your {{ catalog.products[last_items[0].code].name }} left our warehouse.",
    "link": "myapp://orders/latest",
    "sound": "default",
    "buttons": [{"title": "Track it", "link": "myapp://orders/latest/track"}],
}
CART = {
    "title": "Still thinking about it, {{ customer.first_name | default: 'there' }}?",
    "body": "Your {{ product.name }} is waiting in your cart.",
    "link": "myapp://cart",
    "sound": "default",
    "buttons": [{"title": "Go to cart", "link": "myapp://cart"}],
}
WIN_BACK = {
    "title": "We saved you a seat by the fire, {first_name}",
    "body": "New arrivals to go with your "
    "{{ catalog.products[last_items[0].code].name }}.",
    "link": "myapp://products/new",
}
