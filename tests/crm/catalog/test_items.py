"""Items by code: the one door, its history, and two writers at once."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from crm.catalog.catalogs import open_webhook, save_catalog
from crm.catalog.items import archive_items, save_items
from crm.catalog.moves import see_moves
from crm.models import Catalog, CatalogChange, CatalogItem
from tests.factories import NOON, make_catalog, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def shoes() -> Catalog:
    return make_catalog("shoes", kind="products")


def save(catalog: Catalog, *rows: Any, **how: Any) -> Any:
    return save_items(catalog, rows, **{"source": "test", "at": NOON, **how})


def list_changes() -> list[tuple[str, str, str]]:
    rows = CatalogChange.objects.order_by("pk")
    return [(row.kind, row.event, row.outcome) for row in rows]


def test_rows_are_new_changed_unchanged_or_refused_and_good_ones_are_kept(
    shoes: Catalog,
) -> None:
    for code in ("a", "b"):
        make_item(shoes, code, name=code, price=Decimal("9.90"))
    saved = save(
        shoes,
        {"code": "a", "name": "a", "price": "9.90"},
        {"code": "b", "name": "b", "price": 12},
        {"code": "c", "name": "c"},
        {"code": "d", "name": "d", "price": "dear"},
        {"code": "c", "name": "C"},
    )
    counts = (saved.new, saved.changed, saved.unchanged, saved.repeated)
    assert counts == (1, 1, 1, 1)
    assert {i: (f.path, f.code) for i, f in saved.refused.items()} == {
        3: ("price", "not_a_number")
    }
    assert dict(CatalogItem.objects.values_list("code", "name")) == {
        "a": "a",
        "b": "b",
        "c": "C",
    }


def test_the_same_rows_twice_change_nothing(shoes: Catalog) -> None:
    row = {"code": "a", "name": "A", "price": "9.90", "stock": 0}
    save(shoes, row)
    before = list(CatalogItem.objects.values())
    saved = save(shoes, row, at=NOON + timedelta(hours=1))
    assert (saved.unchanged, saved.changes) == (1, [])
    assert list(CatalogItem.objects.values()) == before
    assert list_changes() == [("added", "", "history")]


def test_a_code_is_one_item_in_each_catalog(shoes: Catalog) -> None:
    save(shoes, {"code": "a", "name": "Shoe"})
    save(make_catalog("news"), {"code": "a", "name": "Paper"})
    assert CatalogItem.objects.filter(code="a").count() == 2


def test_a_partial_row_keeps_the_rest(shoes: Catalog) -> None:
    make_item(shoes, "a", category="Boots", attributes={"size": 42, "old": 1})
    saved = save(
        shoes,
        {"code": "a", "price": "5", "attributes": {"old": None, "new": 2}},
        {"code": "fresh", "price": "5"},
        {"code": "a", "stock": 4},
        partial=True,
    )
    item = CatalogItem.objects.get(code="a")
    assert (item.name, item.category, item.price) == ("Item a", "Boots", Decimal(5))
    assert (item.attributes, item.stock) == ({"size": 42, "new": 2}, 4)
    assert {i: f.path for i, f in saved.refused.items()} == {1: "name"}


def test_what_customers_see_is_written_with_the_change(shoes: Catalog) -> None:
    make_item(shoes, "a", price=Decimal(100), currency="EUR", stock=0)
    save(shoes, {"code": "a", "price": 80, "stock": 2}, partial=True)
    drop, back = CatalogChange.objects.order_by("pk")
    assert (drop.event, drop.old_price, drop.new_price) == ("Price Dropped", 100, 80)
    assert (back.event, back.old_stock, back.new_stock) == ("Back In Stock", 0, 2)
    assert {drop.outcome, back.outcome} == {"waiting"}


def test_a_fresh_article_is_news_once(shoes: Catalog) -> None:
    news = make_catalog("news")
    for title in ("A", "B"):
        save(news, {"code": "a", "name": title, "published_at": NOON.isoformat()})
    assert list_changes() == [("added", "New Content", "waiting")]


def test_an_archived_item_is_off_the_shelf_until_it_is_saved_again(
    shoes: Catalog,
) -> None:
    make_item(shoes, "a", name="A", stock=3)
    assert archive_items(shoes, ["a", "gone"], source="test", at=NOON) == 1
    assert archive_items(shoes, ["a"], source="test", at=NOON) == 0
    assert not CatalogItem.objects.live().exists()
    saved = save(shoes, {"code": "a", "name": "A", "stock": 3})
    assert (saved.changed, CatalogItem.objects.live().count()) == (1, 1)
    assert list_changes() == [("stock", "", "history")] * 2


def test_an_edit_of_the_catalog_takes_back_nothing_done_meanwhile(
    shoes: Catalog,
) -> None:
    edited = Catalog.objects.get(pk=shoes.pk)
    save(shoes, {"code": "a", "name": "A"})
    see_moves(NOON)
    open_webhook(shoes, actor="test")

    edited.name = "Boots"
    save_catalog(edited, actor="test")

    row = Catalog.objects.get(pk=shoes.pk)
    assert (row.name, row.moves, row.seen_moves, row.moved_at) == ("Boots", 1, 1, NOON)
    assert row.webhook_secret


def test_a_thousand_rows_cost_a_fixed_number_of_statements(
    shoes: Catalog, django_assert_num_queries: Any
) -> None:
    rows = [{"code": f"c{n}", "name": "A", "price": n} for n in range(1_000)]
    with django_assert_num_queries(7):
        save(shoes, *rows)
    assert CatalogItem.objects.count() == 1_000


@pytest.mark.django_db(transaction=True)
def test_one_price_drop_said_by_eight_writers_at_once_is_written_once() -> None:
    shoes = make_catalog("shoes", kind="products")
    make_item(shoes, "a", name="A", price=Decimal(100))
    rows = [{"code": "a", "name": "A", "price": 50}, {"code": "b", "name": "B"}]

    def write() -> None:
        save(shoes, *rows)
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(list_changes()) == [
        ("added", "", "history"),
        ("price", "Price Dropped", "waiting"),
    ]
