"""Source `occurrence`: the first, the last, or the nth time of an event.

    {"type": "occurrence", "name": "Order Completed", "which": "last",
     "op": "more_than_ago", "value": {"amount": 60, "unit": "days"}}
    {"type": "occurrence", "name": "Order Completed", "which": "first", "n": 2,
     "where": [{"property": "channel", "op": "equals", "value": "web"}],
     "having": [{"property": "total", "op": "gte", "value": 100}]}

`where` says which events are counted, from the first or from the last; of the `n`th
of them (1 where it is not said) `op` and `value` ask the time, and `having` its
properties. At least one of the two is needed. Of two at the same moment the one that
was recorded later counts as later. People with fewer events never match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.about import compare_event
from crm.facts.comparisons import (
    DATED,
    PLAIN,
    WORDS,
    Comparison,
    compare_moment,
    read_comparison,
)
from crm.facts.happenings import Happening, read_filters
from crm.facts.items import list_catalog_mentions
from crm.facts.naming import show_name
from crm.facts.reading import Reader
from crm.ports.facts import (
    Condition,
    Evidence,
    Input,
    Mentions,
    RuleError,
    Scope,
    Selection,
    Sql,
    Term,
)

RANK_MAX = 1_000
ENDS = {"first": "first", "last": "last"}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The nth event from one end, its time and its properties."""

    happening: Happening
    which: str
    n: int = 1
    time: Comparison | None = None
    having: tuple[tuple[str, Comparison], ...] = ()

    @property
    def ordinal(self) -> str:
        if self.n == 1:
            return self.which
        tail = {1: "st", 2: "nd", 3: "rd"}.get(self.n % 10, "th")
        tail = "th" if self.n % 100 in (11, 12, 13) else tail
        return f"{self.n:,}{tail}" + (" last" if self.which == "last" else "")

    def describe(self) -> str:
        tests = [self.time.describe()] if self.time else []
        tests += [
            f"has {show_name(name)} that {test.describe()}"
            for name, test in self.having
        ]
        what = self.happening.describe_what()
        return f"have as their {self.ordinal} {what} one that {' and '.join(tests)}"

    def select(self, scope: Scope) -> Selection:
        found = self._moments(scope)
        test = Sql("q.moment IS NOT NULL")
        if self.time:
            test = compare_moment("q.moment", self.time, scope.at)
        passes = " AND q.passes" if self.having else ""
        return Selection(
            Sql(
                f"SELECT q.contact_id FROM ({found.text}) q WHERE {test.text}{passes}",
                (*found.params, *test.params),
            )
        )

    def _moments(self, scope: Scope) -> Sql:
        """`contact_id, moment`, and with `having` whether it `passes`."""
        rows = self.happening.rows(scope)
        order = "DESC" if self.which == "last" else "ASC"
        if self.having:
            return self._pick_event(rows, order, scope)
        moment = Sql("max(e.occurred_at)" if order == "DESC" else "min(e.occurred_at)")
        if self.n > 1:
            moment = Sql(
                f"(array_agg(e.occurred_at ORDER BY e.occurred_at {order}))[%s]",
                (self.n,),
            )
        return Sql(
            f"SELECT e.contact_id, {moment.text} AS moment {rows.text} "
            "GROUP BY e.contact_id",
            (*moment.params, *rows.params),
        )

    def _pick_event(self, rows: Sql, order: str, scope: Scope) -> Sql:
        tests = [
            compare_event(name, comparison, scope.at)
            for name, comparison in self.having
        ]
        # The answer travels through the sort, not the properties.
        return Sql(
            "SELECT o.contact_id, o.moment, o.passes FROM (SELECT e.contact_id, "
            f"e.occurred_at AS moment, {' AND '.join(test.text for test in tests)} "
            "AS passes, row_number() OVER (PARTITION BY e.contact_id "
            f"ORDER BY e.occurred_at {order}, e.id {order}) AS n {rows.text}) o "
            "WHERE o.n = %s",
            (*(param for test in tests for param in test.params), *rows.params, self.n),
        )

    def wake(self, scope: Scope) -> Sql | None:
        arrivals = self.happening.arrivals(scope)
        window = self.time.window if self.time else None
        if window is None:
            return arrivals
        found = self._moments(scope)
        return Sql(
            f"SELECT q.contact_id, q.moment + %s AS wake_at FROM ({found.text}) q "
            f"WHERE q.moment > %s UNION ALL {arrivals.text}",
            (window.span, *found.params, window.start(scope.at), *arrivals.params),
        )

    def mentions(self) -> Mentions:
        asked = list_catalog_mentions(name for name, _ in self.having)
        return self.happening.mentions() | Mentions(traits=asked)

    def evidence(self, scope: Scope) -> Evidence:
        found = self._moments(scope)
        return Evidence(
            Sql(f"SELECT q.moment FROM ({found.text}) q", found.params),
            lambda row: (
                f"the {self.ordinal} was on {row[0]:%Y-%m-%d %H:%M:%S} UTC"
                if row and row[0]
                else f"no {self.ordinal} {self.happening.describe_what()}"
            ),
        )


class OccurrenceSource:
    """First, last and nth time, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        plain = tuple((op, WORDS[op]) for op in PLAIN)
        times = (("", "any time"), *((op, WORDS[op]) for op in DATED))
        return [
            Term(
                "occurrence",
                "First, last or nth time of an event",
                "How long ago it was, and what it was like",
                {"type": "occurrence", "name": "", "which": "last"}
                | {"op": "more_than_ago", "value": {"amount": 30, "unit": "days"}},
                (
                    Input("name", "Event", "text", suggest="events"),
                    Input("which", "Counted from the", "choice", tuple(ENDS.items())),
                    Input("n", "Number", "number"),
                    Input("op", "When", "choice", times),
                    Input("value", "Time", "value"),
                    Input("where", "Where", "filters", plain, suggest="properties"),
                    Input("having", "This one has", "filters", plain),
                ),
            )
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        reader.allow("type", "name", "which", "n", "op", "value", "where", "having")
        having = read_filters(reader, "having")
        if not reader.has("op") and not having:
            raise RuleError(path, "required", "needs a time (op) or having")
        if not reader.has("op") and reader.has("value"):
            raise RuleError(reader.at("op"), "required", "is missing")
        return Occurrence(
            Happening(reader.name("name"), where=read_filters(reader, "where")),
            reader.choice("which", ENDS),
            reader.whole("n", least=1, most=RANK_MAX) if reader.has("n") else 1,
            read_comparison(reader, DATED) if reader.has("op") else None,
            having,
        )
