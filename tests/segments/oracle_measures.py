"""What events amount to, as the oracle counts it. It shares no code."""

from __future__ import annotations

import json
from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.segments.oracle_values import MISSING

NUMERIC = ("sum", "average", "minimum", "maximum")
Row = tuple[datetime, Any]


def answer_measure(node: dict[str, Any], found: list[Any]) -> Any:
    """The answer over these events; None where there are none, MISSING where they
    hold nothing of the kind."""
    measure = node["measure"]
    rows = list_values(node, sorted(found, key=lambda event: event[1]))
    if not rows:
        return None
    if measure == "count":
        return len(rows)
    if measure in ("first_at", "last_at"):
        return rows[0 if measure == "first_at" else -1][0]
    known = [(moment, value) for moment, value in rows if is_known(value)]
    if measure in NUMERIC:
        return add_up(measure, [v for _, v in known if type(v) in (int, float)])
    if measure == "distinct":
        return len({(isinstance(value, bool), value) for _, value in known})
    return pick(measure, known) if known else MISSING


def list_values(node: dict[str, Any], found: list[Any]) -> list[Row]:
    """The property of each event, or of each line of one, oldest first."""
    prop, rows = node.get("property"), []
    for _, moment, properties, value in found:
        lines = [properties]
        if "lines" in node:
            held = properties.get(node["lines"])
            lines = held if isinstance(held, list) else []
        elif node["measure"] in NUMERIC and prop == "value":
            lines = [{"value": value}]
        for line in lines:
            rows.append((moment, line.get(prop) if isinstance(line, dict) else None))
    return rows


def is_known(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and value != "")


def add_up(measure: str, numbers: list[int | float]) -> Any:
    if measure == "sum" or not numbers:
        return sum(numbers) if measure == "sum" else MISSING
    if measure == "average":
        return float(sum(Fraction(n) for n in numbers) / len(numbers))
    return min(numbers) if measure == "minimum" else max(numbers)


def pick(measure: str, known: list[Row]) -> Any:
    if measure != "most_frequent":
        return known[0 if measure == "first" else -1][1]
    times: dict[Any, list[datetime]] = {}
    for moment, value in known:
        times.setdefault((isinstance(value, bool), value), []).append(moment)
    most = max((len(moments), max(moments)) for moments in times.values())
    tied = [key for key, found in times.items() if (len(found), max(found)) == most]
    return min((json.dumps(v, ensure_ascii=False).encode(), v) for _, v in tied)[1]
