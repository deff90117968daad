"""The slow, plain evaluator that the SQL is held against. It shares no code."""

from __future__ import annotations

import json
import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from typing import Any
from zoneinfo import ZoneInfo

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
MISSING = object()
ISO = re.compile(
    r"^([1-9]\d{3})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,6})?\d*)?\s?(?:Z|([+-])(\d\d):?(\d\d))?)?$",
    re.ASCII,
)


@dataclass
class Person:
    """Everything the oracle knows about one contact."""

    known_since: datetime
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


def span(window: dict[str, Any]) -> timedelta:
    return timedelta(seconds=window["amount"] * UNITS[window["unit"]])


def read_time(value: Any) -> datetime | None:
    if isinstance(value, bool) or value is MISSING or value is None:
        return None
    if isinstance(value, int | float):
        if not 0 <= value <= 253402300799000:
            return None
        return datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC)
    found = ISO.match(value) if isinstance(value, str) else None
    if not found:
        return None
    year, month, day, hour, minute, second = (int(g or 0) for g in found.groups()[:6])
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    micro = int(((found[7] or ".0")[1:] + "000000")[:6])
    offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    return moment - offset if found[8] != "-" else moment + offset


def same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def split_version(text: str) -> list[Any] | None:
    """Core numbers, then a pre-release as (is a word, number or word) pairs."""
    text = text.removeprefix("v").partition("+")[0]
    core, dash, before = text.partition("-")
    numbers = core.split(".")
    if len(numbers) > 4 or not all(re.fullmatch("[0-9]{1,9}", n) for n in numbers):
        return None
    key: list[Any] = [int(n) for n in numbers] + [0] * (4 - len(numbers))
    if not dash:
        return [*key, (2, 0, "")]
    parts = before.split(".")
    if not all(re.fullmatch("[0-9A-Za-z-]+", part) for part in parts):
        return None
    return key + [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts
    ]


def first_of(day: date, unit: str, ahead: int) -> date:
    """The first day of the unit that is so many units from the day's own."""
    if unit == "day":
        return day + timedelta(days=ahead)
    if unit == "week":
        return day - timedelta(days=day.weekday()) + timedelta(weeks=ahead)
    size = {"month": 1, "quarter": 3, "year": 12}[unit]
    months = (day.year * 12 + day.month - 1) // size * size + ahead * size
    return date(months // 12, months % 12 + 1, 1)


def on_days(value: Any, op: str, wanted: Any, at: datetime, zone: str) -> bool:
    where = ZoneInfo(zone or "UTC")
    today = at.astimezone(where).date()
    moment = value if isinstance(value, datetime) else read_time(value)
    if moment is None:
        return False
    alone = isinstance(value, str) and len(value) == 10
    day = moment.date() if alone else moment.astimezone(where).date()
    if op == "during":
        word, _, unit = wanted.rpartition("_")
        ahead = {"this": 0, "last": -1, "next": 1}.get(word, 0)
        if not word:
            ahead = {"today": 0, "yesterday": -1, "tomorrow": 1}[unit]
            unit = "day"
        start = first_of(today, unit, ahead)
        return start <= day < first_of(start, unit, 1)
    return any(
        ahead.year > day.year
        and (ahead.month, ahead.day)
        == (day.month, min(day.day, monthrange(ahead.year, day.month)[1]))
        for ahead in (today + timedelta(days=n) for n in range(wanted + 1))
    )


def compare(  # noqa: C901, PLR0911, PLR0912
    value: Any, op: str, wanted: Any, at: datetime, zone: str = ""
) -> bool:
    known = value is not MISSING and value is not None
    if op in ("exists", "not_exists"):
        return known == (op == "exists")
    if op == "equals":
        return known and same(value, wanted)
    if op == "not_equals":
        return not (known and same(value, wanted))
    if op == "in":
        return known and any(same(value, one) for one in wanted)
    if op == "contains":
        if isinstance(value, list):
            return any(same(one, wanted) for one in value)
        return isinstance(value, str) and wanted in value
    if op == "starts_with":
        return isinstance(value, str) and value.startswith(wanted)
    if op == "ends_with":
        return isinstance(value, str) and value.endswith(wanted)
    if op == "matches":
        return (
            isinstance(value, str)
            and len(value) <= 1_000
            and bool(re.search(wanted.replace("$", r"\Z"), value, re.ASCII | re.DOTALL))
        )
    if op == "has":
        return isinstance(value, list) and any(same(one, wanted) for one in value)
    if op.startswith("version_"):
        left = split_version(value) if isinstance(value, str) else None
        right = split_version(wanted)
        return (
            left is not None
            and right is not None
            and {
                "is": left == right,
                "above": left > right,
                "at_least": left >= right,
                "below": left < right,
                "at_most": left <= right,
            }[op.removeprefix("version_")]
        )
    if op in ("during", "anniversary"):
        return known and on_days(value, op, wanted, at, zone)
    if op in ("gt", "gte", "lt", "lte"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {
            "gt": value > wanted,
            "gte": value >= wanted,
            "lt": value < wanted,
            "lte": value <= wanted,
        }[op]
    moment = value if isinstance(value, datetime) else read_time(value)
    if moment is None:
        return False
    if op == "before":
        return moment < datetime.fromisoformat(wanted)
    if op == "after":
        return moment > datetime.fromisoformat(wanted)
    if op == "within_last":
        return at - span(wanted) < moment <= at
    if op == "in_next":
        return at < moment <= at + span(wanted)
    return moment <= at - span(wanted)


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
        is_about(one, properties)
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


LEAVES = {
    "orders": orders,
    "last_order": last_order,
    "attribute": attribute,
    "event": event,
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
