"""What is true now of the items that an event names: a field of them, compared.

    {"property": "$product.stock", "op": "lte", "value": 5}
    {"property": "$product.drop_pct", "op": "gt", "value": 0}

An item is found by its code in the catalog that the event names under `catalog`, else
among the products; one that was archived is no item. A comparison holds where it holds
of any of them; `not_equals` and `not_exists` are the opposites of `equals` and
`exists`. Fields are the columns below, and attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from crm.facts.comparisons import Comparison, compare_json
from crm.lines import LINE_KEYS, PRODUCT_KEYS
from crm.ports.facts import CATALOG_CHANGED, Sql

PREFIX: Final = "$product."
CATALOG: Final = "products"
# What a field reads; every other one is an attribute. Constants, so they may stand in
# the SQL text. An empty text is no value.
FIELDS: Final = {
    "name": "nullif(i.name, '')",
    "category": "nullif(i.category, '')",
    "currency": "nullif(i.currency, '')",
    "price": "i.price",
    "was_price": "i.was_price",
    # By how many per cent the price is below the one before; of no other price.
    "drop_pct": "CASE WHEN i.price < i.was_price "
    "THEN round(100 - 100 * i.price / i.was_price, 2) END",
    "stock": "i.stock",
}
OPPOSITES: Final = {"not_equals": "equals", "not_exists": "exists"}
_KEYS = ", ".join(f"p.line -> '{key}'" for key in PRODUCT_KEYS)
_LINES = ", ".join(f"'{key}'" for key in LINE_KEYS)


def find_field(name: str) -> str:
    """The field of an item that a filter names; '' where it asks of no item."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def list_catalog_mentions(names: Iterable[str]) -> frozenset[str]:
    """What moves filters of these properties, for `Mentions.traits`."""
    return frozenset({CATALOG_CHANGED} if any(map(find_field, names)) else ())


def compare_items(column: str, field: str, comparison: Comparison, at: datetime) -> Sql:
    """A condition on the items that a jsonb column names; never NULL."""
    op = OPPOSITES.get(comparison.op, comparison.op)
    test = _test_field(field, Comparison(op, comparison.value), at)
    negation = "NOT " if op != comparison.op else ""
    # Lines are taken apart only where there are some.
    lines = " UNION ALL ".join(
        f"SELECT jsonb_path_query({column}, '$.\"{key}\"[*]')" for key in LINE_KEYS
    )
    return Sql(
        f"{negation}EXISTS (SELECT 1 FROM (SELECT {column} AS line UNION ALL "
        f"SELECT l.line FROM ({lines}) l (line) "
        f"WHERE jsonb_exists_any({column}, ARRAY[{_LINES}])) p "
        f"CROSS JOIN unnest(ARRAY[{_KEYS}]) AS k (v) JOIN crm_product i "
        f"ON i.catalog_id = coalesce({column} ->> 'catalog', %s) "
        "AND i.code = k.v #>> '{}' WHERE jsonb_typeof(k.v) IN ('string', 'number') "
        f"AND i.archived_at IS NULL AND {test.text})",
        (CATALOG, *test.params),
    )


def _test_field(field: str, comparison: Comparison, at: datetime) -> Sql:
    if field not in FIELDS:
        return compare_json("i.attributes", field, comparison, at)
    value = f"jsonb_build_object('now', {FIELDS[field]})"
    return compare_json(value, "now", comparison, at)
