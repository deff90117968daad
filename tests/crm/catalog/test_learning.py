"""The catalog fills itself from shop events, and yields to whoever writes it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crm.catalog.catalogs import find_products_catalog
from crm.catalog.items import save_item
from crm.models import CatalogChange, Event, Product
from tests.crm.events.calls import record, say
from tests.factories import NOON, make_product

pytestmark = pytest.mark.django_db


def tell(event: str, hour: int = 0, /, **properties: Any) -> None:
    record(say(name=event, user_id="ada", at=hour, properties=properties))


def read_catalog() -> dict[str, tuple[str, Decimal | None]]:
    return {one.code: (one.name, one.price) for one in Product.objects.all()}


def test_a_product_that_an_event_names_is_in_the_catalog() -> None:
    tell("Product Viewed", product_id="a", name="A", price=5, currency="EUR")
    tell("Seen", product_id="b", name="B")
    tell("Product Viewed", product_id="c")
    assert read_catalog() == {"a": ("A", Decimal("5.00"))}
    assert Product.objects.get().currency == "EUR"


def test_the_newest_event_counts_in_any_order() -> None:
    lines = [{"sku": "a", "name": "New", "price": 7}, {"sku": "b", "name": "B"}]
    tell("Order Completed", 2, order_id="o", products=lines)
    tell("Product Added", 1, sku="a", name="Old", price=5)
    tell("Product Clicked", 3, sku="a", name="New")
    assert read_catalog() == {"a": ("New", Decimal("7.00")), "b": ("B", None)}


def test_what_somebody_wrote_is_never_changed_by_an_event() -> None:
    make_product("a", name="Ours", price=Decimal("9.90"))
    tell("Product Viewed", product_id="b", name="Learned", price=1)
    row = {"code": "b", "name": "Edited", "price": 1}
    save_item(find_products_catalog(), row, actor="test", at=NOON)
    assert not CatalogChange.objects.exclude(event="").exists()
    for code in "ab":
        tell("Product Viewed", 1, product_id=code, name="Theirs", price=2)
    assert read_catalog() == {
        "a": ("Ours", Decimal("9.90")),
        "b": ("Edited", Decimal("1.00")),
    }


def test_revenue_and_refunds_count_under_their_own_names() -> None:
    tell("Completed Order", order_id="o", revenue=42.5, total=50, currency="usd")
    tell("Order Refunded", order_id="o", total="12.50", currency="usd")
    values = Event.objects.order_by("name").values_list("name", "value", "currency")
    assert list(values) == [
        ("Order Completed", Decimal("42.5"), "USD"),
        ("Order Refunded", Decimal("12.50"), "USD"),
    ]
