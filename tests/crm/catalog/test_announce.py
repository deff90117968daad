"""A change becomes one event for each contact whom it concerns."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from crm.catalog import audience
from crm.catalog.announce import announce_next, forget_changes
from crm.catalog.items import archive_items, save_items
from crm.events.addresses import name_people
from crm.models import Catalog, CatalogChange, Contact, Event, Identifier, PendingEvent
from tests.crm.events.calls import run_together
from tests.factories import make_catalog, make_contact, make_event, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def shoes() -> Catalog:
    shoes = make_catalog("shoes", kind="products")
    make_item(shoes, "boot", price=Decimal(150), currency="EUR", stock=3)
    return shoes


def see(name: str, days: float, event: str = "Product Viewed", **said: Any) -> Contact:
    """Somebody who did this so many days ago."""
    contact = Contact.objects.filter(external_id=name).first() or make_contact(name)
    properties = said or {"product_id": "boot"}
    at = timezone.now() - timedelta(days=days)
    make_event(contact, event, occurred_at=at, properties=properties)
    return contact


def change(catalog: Catalog, **said: Any) -> None:
    row = {"code": "boot", **said}
    save_items(catalog, [row], source="test", at=timezone.now(), partial=True)


def tell() -> int:
    total = 0
    while not (piece := announce_next()).is_done:
        total += piece.events
    return total


def list_told(name: str) -> list[str | None]:
    rows = Event.objects.filter(name=name).order_by("contact__external_id")
    return [row.contact.external_id for row in rows]


def test_a_price_drop_is_told_to_who_cared_for_the_item(shoes: Catalog) -> None:
    see("viewed", 29)
    see("viewed", 2)
    see("saved", 5, "Product Added to Wishlist", sku="boot")
    see("long ago", 31)
    see("another", 1, product_id="shoe")
    see("another catalog", 1, product_id="boot", catalog="hats")
    see("searched", 1, "Products Searched", product_id="boot")
    change(shoes, price="120.00")
    assert tell() == 2
    assert list_told("Price Dropped") == ["saved", "viewed"]
    event = Event.objects.filter(name="Price Dropped")[0]
    assert event.properties == {
        "catalog": "shoes",
        "code": "boot",
        "title": "Item boot",
        "old_price": 150,
        "new_price": 120,
        "drop_pct": 20,
        "currency": "EUR",
    }
    # An offer is no revenue.
    assert (event.value, event.source) == (None, "catalog")
    assert PendingEvent.objects.filter(name="Price Dropped").count() == 2
    row = CatalogChange.objects.get()
    assert (row.outcome, row.told) == ("told", 2)
    assert tell() == 0


def test_who_bought_it_since_is_not_told(shoes: Catalog) -> None:
    see("bought", 5)
    see("bought", 4, "Order Completed", products=[{"product_id": "boot"}])
    see("bought before", 3)
    see("bought before", 9, "Order Completed", products=[{"sku": "boot"}])
    see("bought another", 5)
    see("bought another", 4, "Order Completed", products=["boot", {"sku": "hat"}])
    change(shoes, price="120.00")
    assert tell() == 2
    assert list_told("Price Dropped") == ["bought another", "bought before"]


def test_a_return_is_told_while_there_is_some_left(shoes: Catalog) -> None:
    see("ada", 1)
    change(shoes, stock=0)
    assert tell() == 0
    change(shoes, stock=4)
    assert tell() == 1
    assert Event.objects.get(name="Back In Stock").properties["stock"] == 4
    change(shoes, stock=0)
    change(shoes, stock=4)
    change(shoes, stock=0)
    assert tell() == 0
    assert CatalogChange.objects.filter(event="Back In Stock").last().outcome == "over"


@pytest.mark.parametrize(
    ("_case", "outcome"),
    [("dearer again", "over"), ("archived", "over"), ("yesterday", "late")],
)
def test_what_is_over_is_told_to_nobody(
    _case: str, outcome: str, shoes: Catalog, now: datetime
) -> None:
    see("ada", 1)
    change(shoes, price="120.00")
    if _case == "dearer again":
        change(shoes, price="140.00")
    elif _case == "archived":
        archive_items(shoes, ["boot"], source="test", at=now)
    else:
        late = now - timedelta(seconds=settings.TRIGGER_MAX_AGE_S + 1)
        CatalogChange.objects.update(at=late)
    assert tell() == 0
    first = CatalogChange.objects.order_by("pk")[0]
    assert (first.event, first.outcome) == ("Price Dropped", outcome)


def test_something_new_is_told_to_followers_and_readers_once() -> None:
    news = make_catalog("news")
    make_item(news, "old", category="Trails")
    see("follows", 300, "Category Followed", category="Trails")
    see("follows the author", 3, "Author Followed", author="Ida")
    see("left", 9, "Category Followed", category="Trails")
    see("left", 8, "Category Unfollowed", category="Trails")
    see("reads", 2, "Article Viewed", code="old")
    see("read long ago", 40, "Article Viewed", code="old")
    see("reads other things", 2, "Article Viewed", code="else")
    row = {"code": "a", "name": "A", "category": "Trails"}
    row["attributes"] = {"author": "Ida"}  # type: ignore[assignment]
    for _ in range(2):
        save_items(news, [row], source="test", at=timezone.now())
        tell()
    assert list_told("New Content") == ["follows", "follows the author", "reads"]


def test_a_large_audience_is_told_by_pieces(shoes: Catalog) -> None:
    for number in range(5):
        see(f"u{number}", 1)
    change(shoes, price="120.00")
    pieces = [announce_next(limit=2) for _ in range(4)]
    assert [piece.events for piece in pieces] == [2, 2, 1, 0]
    assert len(list_told("Price Dropped")) == 5


@pytest.mark.django_db(transaction=True)
def test_eight_workers_tell_each_contact_once() -> None:
    shoes = make_catalog("shoes", kind="products")
    make_item(shoes, "boot", price=Decimal(150))
    for number in range(30):
        see(f"u{number}", 1)
    change(shoes, price="120.00")

    def work() -> int:
        return sum(announce_next(limit=7).events for _ in range(8))

    told = sum(run_together([work] * 8))
    # Whoever finds the change in another's hands comes back with nothing.
    assert told + work() == 30
    assert len(set(list_told("Price Dropped"))) == 30
    assert CatalogChange.objects.get().told == 30


def test_the_question_reads_the_index(shoes: Catalog) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN (FORMAT JSON) " + audience.CARERS,
            {
                "code": "boot",
                "names": list(audience.SHOP),
                "catalog": "shoes",
                "since": timezone.now(),
                "after": 0,
                "limit": 10,
            },
        )
        plan = json.dumps(cursor.fetchone()[0])
    assert "_about" in plan


def test_people_are_named_by_what_leads_to_them(
    django_assert_num_queries: Any,
) -> None:
    known, visitor = make_contact("u1"), make_contact(None)
    gone = make_contact("u2", erased_at=timezone.now())
    Identifier.objects.filter(contact=gone).delete()
    value = visitor.identifiers.get().value
    with django_assert_num_queries(2):
        names = name_people([known.pk, visitor.pk, gone.pk])
    assert names == {known.pk: ("u1", ""), visitor.pk: ("", value)}


def test_history_ends_after_400_days(shoes: Catalog, now: datetime) -> None:
    change(shoes, price="149.00")
    assert forget_changes(now=now + timedelta(days=399)) == 0
    assert forget_changes(now=now + timedelta(days=401)) == 1


def test_an_event_of_ours_is_no_activity(shoes: Catalog) -> None:
    viewer = see("viewed", 2)
    seen_at = Event.objects.get().occurred_at
    Contact.objects.filter(pk=viewer.pk).update(last_active_at=seen_at)
    change(shoes, price="120.00")
    assert tell() == 1
    viewer.refresh_from_db()
    assert viewer.last_active_at == seen_at
