"""Items that events of the oracle's people name, and filters that ask about them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from crm.models import Catalog
from tests.factories import make_catalog, make_item
from tests.segments.oracle_values import MISSING, compare

# (catalog, code): the fields as a shop says them.
SHELF: dict[tuple[str, str], dict[str, Any]] = {
    ("products", "a1"): {"category": "Shoes", "price": 80, "was_price": 100}
    | {"stock": 3, "attributes": {"brand": "Alpine", "sizes": ["M"]}},
    ("products", "7"): {"category": "Hats", "price": 20.5, "stock": 0},
    ("products", "old"): {"category": "Shoes", "stock": 1, "archived": True},
    ("news", "a1"): {"category": "Sport", "attributes": {"stock": 3}},
}
CODES = st.sampled_from(["a1", "7", 7, "old", "gone", 7.5, True, None, {"a": 1}])
LINE = st.dictionaries(st.sampled_from(["sku", "product_id", "plan"]), CODES)
# What an event says of items, beside all else.
NAMED = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "product_id": CODES,
            "code": CODES,
            "products": st.one_of(
                st.lists(st.one_of(LINE, st.just("odd")), max_size=2), LINE
            ),
            "catalog": st.sampled_from(["news", "none", 5, None]),
        },
    ),
)
FIELDS: tuple[tuple[str, list[str], list[Any]], ...] = (
    ("category", ["equals", "not_equals", "starts_with"], ["Shoes", "Sport"]),
    ("category", ["in"], [["Hats", "Sport"]]),
    ("stock", ["lte", "gt", "equals", "not_equals"], [0, 3]),
    ("price", ["lt", "gte"], [20.5, 80]),
    ("drop_pct", ["gt", "equals"], [0, 20]),
    ("brand", ["equals", "contains"], ["Alpine", "x"]),
    ("sizes", ["has"], ["M", "L"]),
)
FILTERS: list[dict[str, Any]] = [
    {"property": f"$product.{field}", "op": op, "value": value}
    for field, ops, values in FIELDS
    for op in ops
    for value in values
] + [
    {"property": f"$product.{field}", "op": op}
    for field in ("was_price", "stock", "drop_pct", "brand", "name")
    for op in ("exists", "not_exists")
]
ASKED = st.sampled_from(FILTERS)


def store_shelf(at: datetime) -> None:
    make_catalog("news")
    shelves = Catalog.objects.in_bulk()
    for (catalog, code), said in SHELF.items():
        fields = {name: value for name, value in said.items() if name != "archived"}
        archived_at = at if said.get("archived") else None
        make_item(shelves[catalog], code, archived_at=archived_at, **fields)


def list_items(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """The items on the shelf that an event names."""
    lines = [properties]
    for key in ("products", "items", "line_items", "lines"):
        held = properties.get(key, [])
        lines += held if isinstance(held, list) else [held]
    codes = {
        str(line[key])
        for line in lines
        if isinstance(line, dict)
        for key in ("product_id", "sku", "code", "product_code", "variant")
        if isinstance(line.get(key), str | int | float)
        and not isinstance(line[key], bool)
    }
    named = properties.get("catalog")
    catalog = "products" if named is None else str(named)
    found = [SHELF.get((catalog, code), {"archived": True}) for code in codes]
    return [item for item in found if not item.get("archived")]


def read_field(item: dict[str, Any], field: str) -> Any:
    price, before = item.get("price"), item.get("was_price")
    if field == "drop_pct":
        if price is None or before is None or price >= before:
            return MISSING
        return float(100 - 100 * Decimal(str(price)) / Decimal(str(before)))
    if field == "name":
        return "An item"
    known = ("category", "price", "was_price", "stock")
    return (item if field in known else item.get("attributes", {})).get(field, MISSING)


def asks_well(one: dict[str, Any], properties: dict[str, Any], at: Any) -> bool:
    """Whether a filter of items holds of an event."""
    field, op = one["property"].removeprefix("$product."), one["op"]
    opposite = {"not_equals": "equals", "not_exists": "exists"}.get(op, op)
    return (op != opposite) != any(
        compare(read_field(item, field), opposite, one.get("value"), at)
        for item in list_items(properties)
    )
