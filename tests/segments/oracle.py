"""The slow, plain evaluator that the SQL is held against. It shares no code."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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
    merged: bool = False
    # (name, occurred_at, properties, value)
    events: list[tuple[str, datetime, dict[str, Any], Any]] = field(
        default_factory=list
    )
    # (platform, permission, state, last_seen_at)
    devices: list[tuple[str, str, str, datetime]] = field(default_factory=list)
    segments: set[str] = field(default_factory=set)


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


def compare(value: Any, op: str, wanted: Any, at: datetime) -> bool:  # noqa: C901
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
    return moment <= at - span(wanted)


def attribute(node: dict[str, Any], person: Person, at: datetime) -> bool:
    if "field" in node:
        value = getattr(person, node["field"])
        value = MISSING if value == "" else value
    else:
        value = person.traits.get(node["trait"], MISSING)
    return compare(value, node["op"], node.get("value"), at)


def happened(node: dict[str, Any], person: Person, at: datetime) -> list[Any]:
    start = at - span(node["within"]) if "within" in node else None
    return [
        event
        for event in person.events
        if event[0] == node["name"]
        and event[1] <= at
        and (start is None or event[1] > start)
        and all(
            compare(
                event[2].get(one["property"], MISSING), one["op"], one.get("value"), at
            )
            for one in node.get("where", ())
        )
    ]


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
    if "within" not in node or node.get("include_newcomers"):
        return True
    return person.known_since <= at - span(node["within"])


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


LEAVES = {
    "attribute": attribute,
    "event": event,
    "not_performed": not_performed,
    "device": device,
    "everyone": lambda node, person, at: True,
    "segment": lambda node, person, at: (
        (node["segment"] in person.segments) == node.get("member", True)
    ),
}
