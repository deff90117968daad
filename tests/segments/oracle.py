"""The slow, plain evaluator that the SQL is held against. It shares no code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import Any
from uuid import UUID, uuid4

from tests.segments.oracle_measures import answer_measure
from tests.segments.oracle_values import MISSING, compare, span
from tests.segments.shelf import asks_well


@dataclass
class Person:
    """Everything the oracle knows about one contact."""

    known_since: datetime
    uuid: UUID = field(default_factory=uuid4)
    traits: dict[str, Any] = field(default_factory=dict)
    email: str = ""
    time_zone: str = ""
    merged: bool = False
    # (name, occurred_at, properties, value)
    events: list[tuple[str, datetime, dict[str, Any], Any]] = field(
        default_factory=list
    )
    # (platform, permission, state, last_seen_at)
    devices: list[tuple[str, str, str, datetime]] = field(default_factory=list)
    segments: set[str] = field(default_factory=set)
    # (placed_at, state, currency, gross, refunded)
    orders: list[tuple[Any, str, str, int, int]] = field(default_factory=list)


def matches(rule: dict[str, Any], person: Person, at: datetime) -> bool:
    return not person.merged and holds(rule["root"], person, at)


def holds(node: dict[str, Any], person: Person, at: datetime) -> bool:
    if "all" in node:
        return all(holds(child, person, at) for child in node["all"])
    if "any" in node:
        return any(holds(child, person, at) for child in node["any"])
    if "none" in node:
        return not any(holds(child, person, at) for child in node["none"])
    return LEAVES[node["type"]](node, person, at)


def attribute(node: dict[str, Any], person: Person, at: datetime) -> bool:
    if "field" in node:
        value = getattr(person, node["field"])
        value = MISSING if value == "" else value
    else:
        value = person.traits.get(node["trait"], MISSING)
    return compare(value, node["op"], node.get("value"), at, person.time_zone)


def happened(node: dict[str, Any], person: Person, at: datetime) -> list[Any]:
    start = at - span(node["within"]) if "within" in node else None
    return [
        event
        for event in person.events
        if event[0] == node["name"]
        and event[1] <= at
        and (start is None or event[1] > start)
        and in_span(node.get("between", {}), event[1])
        and passes(node.get("where", ()), event[2], at)
    ]


def in_span(span: dict[str, Any], moment: datetime) -> bool:
    since, until = span.get("from"), span.get("to")
    return not (
        (since and moment < datetime.fromisoformat(since))
        or (until and moment >= datetime.fromisoformat(until))
    )


def names_of(properties: dict[str, Any], what: str) -> set[str]:
    """Every product, or category, that an event names; numbers as their digits."""
    lines = [properties]
    for key in ("products", "items", "line_items", "lines"):
        held = properties.get(key, [])
        lines += [one for one in held if isinstance(one, dict)]
    keys = (
        ("category",)
        if what == "$category"
        else ("product_id", "sku", "code", "product_code", "variant")
    )
    return {str(line[key]) for line in lines for key in keys if key in line}


def is_about(one: dict[str, Any], properties: dict[str, Any]) -> bool:
    named, value = names_of(properties, one["property"]), one["value"]
    wanted = set(value) if one["op"] == "in" else {value}
    return named.isdisjoint(wanted) is (one["op"] == "not_equals")


def passes(filters: Any, properties: dict[str, Any], at: datetime) -> bool:
    return all(
        asks_well(one, properties, at)
        if one["property"].startswith("$product.")
        else is_about(one, properties)
        if one["property"].startswith("$")
        else compare(
            properties.get(one["property"], MISSING), one["op"], one.get("value"), at
        )
        for one in filters
    )


def event(node: dict[str, Any], person: Person, at: datetime) -> bool:
    found = happened(node, person, at)
    if "sum" in node:
        prop, wanted = node["sum"]["property"], node["sum"]["n"]
        numbers = [one[3] if prop == "value" else one[2].get(prop) for one in found]
        total = sum(
            n for n in numbers if isinstance(n, int | float) and not isinstance(n, bool)
        )
        return (
            bool(found)
            and {
                "at_least": total >= wanted,
                "more_than": total > wanted,
                "at_most": total <= wanted,
                "less_than": total < wanted,
            }[node["sum"]["op"]]
        )
    count = node.get("count", {"op": "at_least", "n": 1})
    return {
        "at_least": len(found) >= count["n"],
        "at_most": len(found) <= count["n"],
        "exactly": len(found) == count["n"],
    }[count["op"]]


def aggregate(node: dict[str, Any], person: Person, at: datetime) -> bool:
    answer = answer_measure(node, happened(node, person, at))
    return answer is not None and compare(answer, node["op"], node["value"], at)


def not_performed(node: dict[str, Any], person: Person, at: datetime) -> bool:
    if happened(node, person, at):
        return False
    if node.get("include_newcomers"):
        return True
    if node.get("between", {}).get("from"):
        return person.known_since <= datetime.fromisoformat(node["between"]["from"])
    if "within" not in node:
        return True
    return person.known_since <= at - span(node["within"])


def occurrence(node: dict[str, Any], person: Person, at: datetime) -> bool:
    # Sorting keeps what was recorded first before its equals.
    found = sorted(happened(node, person, at), key=lambda event: event[1])
    if node["which"] == "last":
        found.reverse()
    if len(found) < node.get("n", 1):
        return False
    one = found[node.get("n", 1) - 1]
    if "op" in node and not compare(one[1], node["op"], node["value"], at):
        return False
    return passes(node.get("having", ()), one[2], at)


def held(properties: Any, name: str) -> set[str]:
    """The texts of a property of an event and of the entries it lists."""
    nodes = [properties]
    for value in properties.values():
        nodes += value if isinstance(value, list) else [value]
    values = [node[name] for node in nodes if isinstance(node, dict) and name in node]
    return {
        value if isinstance(value, str) else json.dumps(value)
        for value in values
        if isinstance(value, str | int | float)
    }


def sequence(node: dict[str, Any], person: Person, at: datetime) -> bool:
    """By trying every combination."""
    steps = [
        happened({**step, **pick(node, "within")}, person, at) for step in node["steps"]
    ]
    return any(
        all(one[1] < two[1] for one, two in pairwise(chain))
        and ("span" not in node or chain[-1][1] - chain[0][1] < span(node["span"]))
        and (
            "same" not in node
            or set.intersection(*(held(one[2], node["same"]) for one in chain))
        )
        for chain in product(*steps)
    )


def not_followed(node: dict[str, Any], person: Person, at: datetime) -> bool:
    first, then = (
        happened({**node[key], **pick(node, "within")}, person, at)
        for key in ("first", "then")
    )
    for one in first:
        if "span" in node and one[1] + span(node["span"]) > at:
            continue
        for value in held(one[2], node["same"]) if "same" in node else {None}:
            if not any(
                other[1] > one[1]
                and ("span" not in node or other[1] - one[1] < span(node["span"]))
                and (value is None or value in held(other[2], node["same"]))
                for other in then
            ):
                return True
    return False


def pick(node: dict[str, Any], key: str) -> dict[str, Any]:
    return {key: node[key]} if key in node else {}


def device(node: dict[str, Any], person: Person, at: datetime) -> bool:
    return any(
        state == "active"
        and node.get("platform", platform) == platform
        and permission in (node.get("permission") or [permission])
        and (
            not node.get("reachable")
            or (permission != "denied" and seen > at - timedelta(days=270))
        )
        for platform, permission, state, seen in person.devices
    )


def list_orders(node: dict[str, Any], person: Person, at: datetime) -> list[Any]:
    return [
        one
        for one in person.orders
        if one[0] is not None
        and one[1] != "cancelled"
        and one[0] <= at
        and ("within" not in node or one[0] > at - span(node["within"]))
        and node.get("currency", one[2]) == one[2]
    ]


def orders(node: dict[str, Any], person: Person, at: datetime) -> bool:
    found, wanted = list_orders(node, person, at), node["n"]
    if node["measure"] == "count":
        return {
            "at_least": len(found) >= wanted,
            "at_most": len(found) <= wanted,
            "exactly": len(found) == wanted,
        }[node["op"]]
    groups = [found]
    if node["measure"] != "refunded_pct":
        groups = [[o for o in found if o[2] == code] for code in {o[2] for o in found}]
    for group in groups:
        gross, back = sum(o[3] for o in group), sum(o[4] for o in group)
        if not group or (node["measure"] == "refunded_pct" and not gross):
            continue
        value = {
            "gross": gross,
            "net": gross - back,
            "average": (gross - back) / len(group),
            "refunded_pct": 100 * back / (gross or 1),
        }[node["measure"]]
        if {
            "at_least": value >= wanted,
            "more_than": value > wanted,
            "at_most": value <= wanted,
            "less_than": value < wanted,
        }[node["op"]]:
            return True
    return False


def last_order(node: dict[str, Any], person: Person, at: datetime) -> bool:
    found = list_orders({}, person, at)
    newest = max((one[0] for one in found), default=MISSING)
    return compare(newest, node["op"], node["value"], at)


def hash_bytes(text: str) -> int:
    state = 2166136261
    for byte in text.encode():
        state = (state ^ byte) * 16777619 % 2**32
    return state


def cohort(node: dict[str, Any], person: Person, at: datetime) -> bool:
    drawn = hash_bytes(str(hash_bytes(node.get("seed", "") + str(person.uuid))))
    lowest, highest = node.get("from", 0), node.get("to", 100)
    return round(lowest * 100) <= drawn % 10_000 < round(highest * 100)


LEAVES = {
    "cohort": cohort,
    "orders": orders,
    "last_order": last_order,
    "attribute": attribute,
    "event": event,
    "aggregate": aggregate,
    "not_performed": not_performed,
    "occurrence": occurrence,
    "sequence": sequence,
    "not_followed": not_followed,
    "device": device,
    "everyone": lambda node, person, at: True,
    "segment": lambda node, person, at: (
        (node["segment"] in person.segments) == node.get("member", True)
    ),
}
