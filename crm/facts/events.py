"""Source `event` and `not_performed`: what the contact did.

    {"type": "event", "name": "Order Completed", "count": {"op": "at_least", "n": 2},
     "within": {"amount": 30, "unit": "days"},
     "where": [{"property": "plan", "op": "equals", "value": "pro"}]}
    {"type": "event", "name": "Order Completed",
     "sum": {"property": "value", "op": "more_than", "n": 50}}
    {"type": "not_performed", "name": "app_open",
     "within": {"amount": 7, "unit": "days"}}

Without `count` and `sum` it means at least once; without `within`, ever. A sum
speaks of those who performed the event at all.

`not_performed` within a window holds only for contacts known for the whole window,
unless `include_newcomers`: somebody who came yesterday has not been away for a
week. (A contact is known since the earliest event, so an older event counts.)
`event` with a count of zero is the plain count, newcomers included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.facts.comparisons import PLAIN, WORDS, Comparison, read_comparison
from crm.facts.happenings import (
    COUNTS,
    SUMS,
    Happening,
    NotPerformed,
    Performed,
    Summed,
)
from crm.facts.reading import Reader
from crm.facts.window import UNIT_SECONDS
from crm.ports.facts import Condition, Input, RuleError, Term

COUNT_MAX = 1_000_000
FILTERS_MAX = 20
# The first is what an empty window shows.
UNITS = tuple((unit, unit) for unit in reversed(UNIT_SECONDS))


class EventSource:
    """Performed, summed and not performed, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        within = (
            Input("within.amount", "In the last", "number"),
            Input("within.unit", "Unit", "choice", UNITS),
        )
        where = Input(
            "where",
            "Where",
            "filters",
            tuple((op, WORDS[op]) for op in PLAIN),
            suggest="properties",
        )
        name = Input("name", "Event", "text", suggest="events")
        times = (
            Input("count.op", "How often", "choice", tuple(COUNTS.items())),
            Input("count.n", "Times", "number"),
        )
        sums = tuple((op, op.replace("_", " ")) for op in SUMS)
        total = (
            Input("sum.property", "or sum of", "text", suggest="properties"),
            Input("sum.op", "is", "choice", sums),
            Input("sum.n", "Total", "number"),
        )
        days = {"amount": 30, "unit": "days"}
        return [
            Term(
                "event",
                "Performed an event",
                "So many times, within a window or ever",
                {"type": "event", "name": "", "count": {"op": "at_least", "n": 1}}
                | {"within": days},
                (name, *times, *total, *within, where),
            ),
            Term(
                "not_performed",
                "Did not perform an event",
                "Not once within a window",
                {"type": "not_performed", "name": "", "within": days},
                (
                    name,
                    *within,
                    where,
                    Input("include_newcomers", "Include newer people", "check"),
                ),
            ),
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        if node["type"] == "not_performed":
            reader.allow("type", "name", "within", "where", "include_newcomers")
            return NotPerformed(
                read_happening(reader), reader.flag("include_newcomers")
            )
        reader.allow("type", "name", "within", "where", "count", "sum")
        happening = read_happening(reader)
        if not reader.has("sum"):
            return read_count(reader, happening)
        if reader.has("count"):
            raise RuleError(path, "choice", "has a count or a sum, not both")
        inner = Reader.over(node["sum"], reader.at("sum"))
        inner.allow("property", "op", "n")
        return Summed(
            happening,
            inner.name("property"),
            inner.choice("op", SUMS),
            inner.number("n"),
        )


def read_happening(reader: Reader) -> Happening:
    name = reader.name("name")
    window = reader.window("within") if reader.has("within") else None
    filters = reader.items("where")
    if len(filters) > FILTERS_MAX:
        raise RuleError(
            reader.at("where"), "too_long", f"has more than {FILTERS_MAX} filters"
        )
    return Happening(name, window, tuple(read_filter(*one) for one in filters))


def read_filter(node: Any, path: str) -> tuple[str, Comparison]:
    reader = Reader.over(node, path)
    reader.allow("property", "op", "value")
    return reader.name("property"), read_comparison(reader, PLAIN)


def read_count(reader: Reader, happening: Happening) -> Performed:
    if not reader.has("count"):
        return Performed(happening)
    inner = Reader.over(reader.node["count"], reader.at("count"))
    inner.allow("op", "n")
    op = inner.choice("op", COUNTS)
    least = 1 if op == "at_least" else 0
    return Performed(happening, op, inner.whole("n", least=least, most=COUNT_MAX))
