"""Shop events: our names, and what they say about products."""

from __future__ import annotations

from typing import Any

import pytest

from crm.events.commerce import EVENTS, list_products, use_our_name
from tests.crm.events.calls import say
from tests.factories import NOON


@pytest.mark.parametrize(
    ("old", "name"),
    [
        ("Completed Order", "Order Completed"),
        ("Added Product", "Product Added"),
        ("Viewed Product", "Product Viewed"),
        ("Refunded Order", "Order Refunded"),
    ],
)
def test_names_of_the_first_edition_become_ours(old: str, name: str) -> None:
    item = use_our_name(say(name=old, properties={"total": 5}))
    assert item.name == name
    assert item.properties == {"total": 5, "original_event": old}


@pytest.mark.parametrize("name", [*EVENTS, "order completed", "Seen", "", "$group"])
def test_every_other_name_stays(name: str) -> None:
    item = say(name=name)
    assert use_our_name(item) is item


SOCKS: dict[str, Any] = {
    "product_id": "p-1",
    "sku": "s-1",
    "name": " Socks ",
    "price": 9.5,
    "currency": "eur",
    "category": "Feet",
    "url": "https://shop.example/socks",
    "image_url": "https://shop.example/socks.png",
}


def test_an_event_about_one_product_describes_it() -> None:
    [socks] = list_products(SOCKS, NOON)
    assert (socks.code, socks.name, socks.price) == ("p-1", "Socks", "9.50")
    assert (socks.currency, socks.category, socks.at) == ("EUR", "Feet", NOON)
    assert socks.url == "https://shop.example/socks"
    assert socks.image_url == "https://shop.example/socks.png"


def test_an_order_describes_each_line_in_its_own_currency_or_the_orders() -> None:
    lines = [{"sku": "a", "name": "A", "price": "1"}, {"code": 7, "name": "B"}, 5]
    order = {"order_id": "o", "currency": "USD", "products": lines}
    found = [(one.code, one.price, one.currency) for one in list_products(order, NOON)]
    assert found == [("a", "1.00", "USD"), ("7", None, "USD")]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"name": ""}, None),
        ({"name": 5}, None),
        ({"product_id": "x" * 101}, None),
        ({"product_id": " ", "sku": "s"}, None),
        ({"price": -1}, ("price", None)),
        ({"price": "free"}, ("price", None)),
        ({"price": True}, ("price", None)),
        ({"price": 10**12}, ("price", None)),
        ({"price": "NaN"}, ("price", None)),
        ({"currency": "euro"}, ("currency", "")),
        ({"category": {}}, ("category", "")),
        ({"url": "javascript:alert(1)"}, ("url", "")),
        ({"image_url": "https://" + "x" * 2_000}, ("image_url", "")),
    ],
)
def test_what_cannot_be_kept_is_left_out(
    said: dict[str, Any], kept: tuple[str, Any] | None
) -> None:
    found = list_products({**SOCKS, **said}, NOON)
    if kept is None:
        assert found == []
    else:
        assert getattr(found[0], kept[0]) == kept[1]
