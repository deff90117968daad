"""Source `event` and `not_performed`: what the contact did.

    {"type": "event", "name": "Order Completed", "count": {"op": "at_least", "n": 2},
     "within": {"amount": 30, "unit": "days"},
     "where": [{"property": "plan", "op": "equals", "value": "pro"}]}
    {"type": "event", "name": "Order Completed",
     "sum": {"property": "value", "op": "more_than", "n": 50}}
    {"type": "not_performed", "name": "app_open",
     "within": {"amount": 7, "unit": "days"}}
    {"type": "event", "name": "Order Completed",
     "between": {"from": "2026-03-01", "to": "2026-04-01"}}

Without `count` and `sum` it means at least once; without `within` and `between`,
ever. `between` is a fixed window, its end left out; one of its ends may be missing. A
sum speaks of those who performed the event at all.

`not_performed` within a window holds only for contacts known for the whole window,
unless `include_newcomers`: somebody who came yesterday has not been away for a
week. (A contact is known since the earliest event, so an older event counts.) With
`between` they must be known since its beginning, or before.
`event` with a count of zero is the plain count, newcomers included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.facts.aggregates import Aggregate
from crm.facts.comparisons import PLAIN, WORDS
from crm.facts.happenings import (
    COUNTS,
    Happening,
    NotPerformed,
    Performed,
    read_happening,
)
from crm.facts.measured import SUMS, Summed
from crm.facts.reading import Reader
from crm.facts.window import UNIT_SECONDS
from crm.ports.facts import Condition, Input, RuleError, Term

HAPPENING_KEYS = ("name", "within", "between", "where")
COUNT_MAX = 1_000_000
# The first is what an empty window shows.
UNITS = tuple((unit, unit) for unit in reversed(UNIT_SECONDS))


DAYS = {"amount": 30, "unit": "days"}
NAME = Input("name", "Event", "text", suggest="events")
WHERE = Input(
    "where",
    "Where",
    "filters",
    tuple((op, WORDS[op]) for op in PLAIN),
    suggest="properties",
)
WITHIN = (
    Input("within.amount", "In the last", "number"),
    Input("within.unit", "Unit", "choice", UNITS),
    Input("between.from", "or from", "text"),
    Input("between.to", "until before", "text"),
)
TIMES = (
    Input("count.op", "How often", "choice", tuple(COUNTS.items())),
    Input("count.n", "Times", "number"),
)
SUM_OPS = tuple((op, op.replace("_", " ")) for op in SUMS)
TOTAL = (
    Input("sum.property", "or sum of", "text", suggest="properties"),
    Input("sum.op", "is", "choice", SUM_OPS),
    Input("sum.n", "Total", "number"),
)
NEWCOMERS = Input("include_newcomers", "Include newer people", "check")


class EventSource:
    """Performed, summed and not performed, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "event",
                "Performed an event",
                "So many times, within a window or ever",
                {"type": "event", "name": "", "count": {"op": "at_least", "n": 1}}
                | {"within": DAYS},
                (NAME, *TIMES, *TOTAL, *WITHIN, WHERE),
            ),
            Term(
                "not_performed",
                "Did not perform an event",
                "Not once within a window",
                {"type": "not_performed", "name": "", "within": DAYS},
                (NAME, *WITHIN, WHERE, NEWCOMERS),
            ),
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        if node["type"] == "not_performed":
            reader.allow("type", *HAPPENING_KEYS, "include_newcomers")
            return NotPerformed(
                read_happening(reader), reader.flag("include_newcomers")
            )
        reader.allow("type", *HAPPENING_KEYS, "count", "sum")
        happening = read_happening(reader)
        if not reader.has("sum"):
            return read_count(reader, happening)
        if reader.has("count"):
            raise RuleError(path, "choice", "has a count or a sum, not both")
        inner = Reader.over(node["sum"], reader.at("sum"))
        inner.allow("property", "op", "n")
        total = Aggregate("sum", happening, inner.name("property"))
        return Summed.of(total, inner.choice("op", SUMS), inner.number("n"))


def read_count(reader: Reader, happening: Happening) -> Performed:
    return Performed(happening, *read_times(reader))


def read_times(reader: Reader) -> tuple[str, int]:
    """`count`, its comparison and number; at least once where it is not said."""
    if not reader.has("count"):
        return "at_least", 1
    inner = Reader.over(reader.node["count"], reader.at("count"))
    inner.allow("op", "n")
    op = inner.choice("op", COUNTS)
    least = 1 if op == "at_least" else 0
    return op, inner.whole("n", least=least, most=COUNT_MAX)
