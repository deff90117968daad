"""What an event is about: every product, and category, that it names.

    {"property": "$product", "op": "equals", "value": "boots-42"}
    {"property": "$category", "op": "in", "value": ["Shoes", "Socks"]}
    {"property": "$product.stock", "op": "lte", "value": 5}

Looked for in the event itself and in the lines of its cart or order, under the keys
of `crm.lines`; `not_equals` holds where none of them is the one.

After `$product.` stands a field of the item in its catalog as it is now: see
`crm.facts.items`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from crm.facts.comparisons import EQUALITY, Comparison, compare_json
from crm.facts.items import compare_items, find_field
from crm.facts.naming import show_name
from crm.lines import CATEGORY_KEY, LINE_KEYS, PRODUCT_KEYS
from crm.ports.facts import Sql

ABOUT = {"$product": PRODUCT_KEYS, "$category": (CATEGORY_KEY,)}
NAMES = {"$product": "product", "$category": "category"}


def list_allowed(name: str, ops: Collection[str]) -> Collection[str]:
    """The operators that a property knows."""
    return [op for op in ops if op in EQUALITY] if name in ABOUT else ops


def show_property(name: str) -> str:
    if field := find_field(name):
        return f"{show_name(field)} of the product"
    return NAMES.get(name) or show_name(name, NAMES.values())


def compare_event(name: str, comparison: Comparison, at: datetime) -> Sql:
    """A condition on a property of the event under the alias e; never NULL."""
    if name in ABOUT:
        return compare_about("e.properties", name, comparison)
    if field := find_field(name):
        return compare_items("e.properties", field, comparison, at)
    return compare_json("e.properties", name, comparison, at)


def compare_about(column: str, name: str, comparison: Comparison) -> Sql:
    """A condition on the whole of a jsonb column; never NULL."""
    tests = " || ".join(f'@."{key}" == $v[*]' for key in ABOUT[name])
    places = ("$", *(f'$."{key}"[*]' for key in LINE_KEYS))
    # Constants only: what the rule says is among the variables.
    found = " OR ".join(
        f"jsonb_path_exists({column}, '{place} ? ({tests})', %s::jsonb, true)"
        for place in places
    )
    wanted = comparison.value if comparison.op == "in" else (comparison.value,)
    spelled = json.dumps({"v": [form for one in wanted for form in spell(one)]})
    negation = "NOT " if comparison.op == "not_equals" else ""
    return Sql(f"{negation}({found})", (spelled,) * len(places))


def spell(value: object) -> list[object]:
    """A code of digits may have been sent as a number, and the other way round."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        number = int(value)
        return [value, number] if str(number) == value else [value]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value, str(value)]
    return [value]
