"""Events of shops: Segment's e-commerce spec is our vocabulary. Pure.

This list says it all: the names we use, the names of the spec's first edition, and
where such an event names its products. Revenue is read by `amounts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from crm.events.amounts import read_currency
from crm.events.schema import Item
from crm.lines import LINE_KEYS, PRODUCT_KEYS

# Our name → what the spec's first edition called it, '' where it had no such event.
EVENTS: dict[str, str] = {
    "Products Searched": "",
    "Product List Viewed": "Viewed Product Category",
    "Product List Filtered": "",
    "Promotion Viewed": "Viewed Promotion",
    "Promotion Clicked": "Clicked Promotion",
    "Product Clicked": "Clicked Product",
    "Product Viewed": "Viewed Product",
    "Product Added": "Added Product",
    "Product Removed": "Removed Product",
    "Cart Viewed": "Viewed Cart",
    "Checkout Started": "Started Order",
    "Checkout Step Viewed": "Viewed Checkout Step",
    "Checkout Step Completed": "Completed Checkout Step",
    "Payment Info Entered": "",
    "Order Updated": "Updated Order",
    "Order Completed": "Completed Order",
    "Order Refunded": "Refunded Order",
    "Order Cancelled": "Cancelled Order",
    "Coupon Entered": "",
    "Coupon Applied": "",
    "Coupon Denied": "",
    "Coupon Removed": "",
    "Product Added to Wishlist": "",
    "Product Removed from Wishlist": "",
    "Wishlist Product Added to Cart": "",
    "Product Shared": "",
    "Product Reviewed": "",
}
NAMES_OF_OLD = {old: name for name, old in EVENTS.items() if old}
# The name as it was sent, where it was another.
ORIGINAL_NAME = "original_event"
# numeric(14, 2)
MAX_PRICE = Decimal(10) ** 12
MAX_CODE, MAX_NAME, MAX_CATEGORY, MAX_URL = 100, 300, 200, 2_000


class ProductWord(msgspec.Struct, frozen=True):
    """What an event says about a product; '' and None say nothing."""

    code: str
    name: str
    price: str | None
    currency: str
    category: str
    url: str
    image_url: str
    at: datetime


def use_our_name(item: Item) -> Item:
    """The same call by our name, with the name it was sent by among its properties."""
    name = NAMES_OF_OLD.get(item.name)
    if name is None:
        return item
    properties = {**item.properties, ORIGINAL_NAME: item.name}
    return msgspec.structs.replace(item, name=name, properties=properties)


def read_product_code(properties: Mapping[str, Any]) -> str:
    """The code of the product these properties are about, '' where there is none."""
    for key in PRODUCT_KEYS:
        value = properties.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def list_lines(properties: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The products of a cart, an order or a list."""
    for key in LINE_KEYS:
        lines = properties.get(key)
        if isinstance(lines, list):
            yield from (line for line in lines if isinstance(line, Mapping))


def list_products(properties: Mapping[str, Any], at: datetime) -> list[ProductWord]:
    """What an event of `EVENTS` says about products that have a code and a name."""
    currency = properties.get("currency")
    found = []
    for said in (properties, *list_lines(properties)):
        code, name = read_product_code(said).strip(), read_words(said, "name")
        if not code or len(code) > MAX_CODE or not name:
            continue
        found.append(
            ProductWord(
                code=code,
                name=name[:MAX_NAME],
                price=read_price(said.get("price")),
                currency=read_currency(said.get("currency", currency)),
                category=read_words(said, "category")[:MAX_CATEGORY],
                url=read_link(said.get("url")),
                image_url=read_link(said.get("image_url")),
                at=at,
            )
        )
    return found


def read_words(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    return value.strip() if isinstance(value, str) else ""


def read_price(value: Any) -> str | None:
    """A price in major units with two digits, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        price = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not price.is_finite() or not 0 <= price < MAX_PRICE:
        return None
    return str(price.quantize(Decimal("0.01")))


def read_link(value: Any) -> str:
    """A web address that fits; anything else is no address to send people to."""
    return value if isinstance(value, str) and is_web_link(value) else ""


def is_web_link(text: str) -> bool:
    return text.startswith(("https://", "http://")) and len(text) <= MAX_URL
