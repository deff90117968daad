"""Sources `orders` and `last_order`: what a contact's orders come to, net of refunds.

    {"type": "orders", "measure": "net", "op": "at_least", "n": 100,
     "currency": "EUR", "within": {"amount": 90, "unit": "days"}}
    {"type": "orders", "measure": "count", "op": "at_most", "n": 0}
    {"type": "last_order", "op": "more_than_ago",
     "value": {"amount": 60, "unit": "days"}}

Orders that were cancelled, or not placed yet, count for nothing. A window is of the
moment at which an order was placed. `count` and `refunded_pct` need no currency;
money is added up in each currency for itself, and holds where any of them does. All
but a count of zero or "at most" speak of those who have orders at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.comparisons import (
    DATED,
    WORDS,
    Comparison,
    compare_moment,
    read_comparison,
)
from crm.facts.events import UNITS
from crm.facts.happenings import COUNTS
from crm.facts.reading import Reader
from crm.facts.window import Window
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
from crm.purchases.words import ORDER_EVENTS

# Measure → what staff call it, and its SQL over the orders of a contact.
MEASURES = {
    "net": ("total spent, net of refunds,", "sum(o.net)"),
    "gross": ("total ordered, before refunds,", "sum(o.gross)"),
    "average": ("average order, net of refunds,", "avg(o.net)"),
    "refunded_pct": (
        "refunded share in percent",
        "100 * sum(o.refunded) / nullif(sum(o.gross), 0)",
    ),
}
SUMS = {"at_least": ">=", "more_than": ">", "at_most": "<=", "less_than": "<"}
COUNT = "count"
LABELS = {COUNT: "number of orders"} | {
    key: words for key, (words, _) in MEASURES.items()
}
MONEY = ("net", "gross", "average")
COUNT_MAX = 1_000_000
DATES = tuple((op, WORDS[op]) for op in DATED)
STANDS = "o.placed_at IS NOT NULL AND o.state <> 'cancelled'"
MENTIONS = Mentions(events=frozenset(ORDER_EVENTS))


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders that stand, of one currency or any, within a window or ever."""

    window: Window | None = None
    currency: str = ""

    def rows(self, scope: Scope) -> Sql:
        """FROM and WHERE; the alias is o."""
        limit, text = scope.limit("o.contact_id"), ""
        params: list[Any] = []
        if self.window is not None:
            text += " AND o.placed_at > %s"
            params.append(self.window.start(scope.at))
        if self.currency:
            text += " AND o.currency = %s"
            params.append(self.currency)
        return Sql(
            f"FROM crm_order o WHERE {STANDS} AND o.placed_at <= %s{text}{limit.text}",
            (scope.at, *params, *limit.params),
        )

    def wake(self, scope: Scope) -> Sql:
        """When the oldest leaves the window, or one of tomorrow's date begins."""
        limit = scope.limit("o.contact_id")
        arrivals = Sql(
            "SELECT o.contact_id, min(o.placed_at) AS wake_at FROM crm_order o WHERE "
            f"{STANDS} AND o.placed_at > %s{limit.text} GROUP BY o.contact_id",
            (scope.at, *limit.params),
        )
        if self.window is None:
            return arrivals
        rows = self.rows(scope)
        return Sql(
            f"SELECT o.contact_id, min(o.placed_at) + %s AS wake_at {rows.text} "
            f"GROUP BY o.contact_id UNION ALL {arrivals.text}",
            (self.window.span, *rows.params, *arrivals.params),
        )

    def describe(self) -> str:
        words = f" in {self.currency}" if self.currency else ""
        return words + (f" in the last {self.window}" if self.window else "")

    def evidence(self, scope: Scope) -> Evidence:
        rows = self.rows(scope)
        return Evidence(
            Sql(
                "SELECT string_agg(format('%%s of %%s %%s net', s.n, s.net, "
                "s.currency), ', ' ORDER BY s.currency), max(s.last_at) FROM (SELECT "
                "o.currency, count(*) AS n, trim_scale(sum(o.net)) AS net, "
                f"max(o.placed_at) AS last_at {rows.text} GROUP BY o.currency) s",
                rows.params,
            ),
            word_evidence,
        )


def word_evidence(row: Sequence[Any] | None) -> str:
    if not row or not row[0]:
        return "no orders that count"
    return f"orders: {row[0]}; last placed on {row[1]:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class OrderCount:
    """So many orders; at most and exactly count zero too."""

    orders: Orders
    op: str
    n: int

    def describe(self) -> str:
        many = "order" if self.n == 1 else "orders"
        return f"have {COUNTS[self.op]} {self.n:,} {many}{self.orders.describe()}"

    def select(self, scope: Scope) -> Selection:
        if self.op == "at_most":
            return Selection(self._select(scope, ">=", self.n + 1), negated=True)
        if self.op == "exactly" and self.n == 0:
            return Selection(self._select(scope, ">=", 1), negated=True)
        sign = "=" if self.op == "exactly" else ">="
        return Selection(self._select(scope, sign, self.n))

    def _select(self, scope: Scope, sign: str, n: int) -> Sql:
        rows = self.orders.rows(scope)
        return Sql(
            f"SELECT o.contact_id {rows.text} GROUP BY o.contact_id "
            f"HAVING count(*) {sign} %s",
            (*rows.params, n),
        )

    def wake(self, scope: Scope) -> Sql | None:
        return self.orders.wake(scope)

    def mentions(self) -> Mentions:
        return MENTIONS

    def evidence(self, scope: Scope) -> Evidence:
        return self.orders.evidence(scope)


@dataclass(frozen=True, slots=True)
class OrderTotal:
    """A measure of the orders, compared with a number."""

    orders: Orders
    measure: str
    op: str
    n: int | float

    def describe(self) -> str:
        words, op = LABELS[self.measure], self.op.replace("_", " ")
        return f"have {words} of {op} {self.n:,}{self.orders.describe()}"

    def select(self, scope: Scope) -> Selection:
        rows = self.orders.rows(scope)
        groups = "o.contact_id" + (", o.currency" if self.measure in MONEY else "")
        return Selection(
            Sql(
                f"SELECT DISTINCT o.contact_id {rows.text} GROUP BY {groups} "
                f"HAVING {MEASURES[self.measure][1]} {SUMS[self.op]} %s",
                (*rows.params, self.n),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        return self.orders.wake(scope)

    def mentions(self) -> Mentions:
        return MENTIONS

    def evidence(self, scope: Scope) -> Evidence:
        return self.orders.evidence(scope)


@dataclass(frozen=True, slots=True)
class LastOrder:
    """When the newest order was placed, compared with a moment."""

    comparison: Comparison

    def describe(self) -> str:
        return f"have a last order whose date {self.comparison.describe()}"

    def select(self, scope: Scope) -> Selection:
        rows = Orders().rows(scope)
        test = compare_moment("max(o.placed_at)", self.comparison, scope.at)
        return Selection(
            Sql(
                f"SELECT o.contact_id {rows.text} GROUP BY o.contact_id "
                f"HAVING {test.text}",
                (*rows.params, *test.params),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        return Orders(self.comparison.window).wake(scope)

    def mentions(self) -> Mentions:
        return MENTIONS

    def evidence(self, scope: Scope) -> Evidence:
        return Orders().evidence(scope)


def list_total_inputs() -> tuple[Input, ...]:
    signs = tuple((op, op.replace("_", " ")) for op in (*SUMS, "exactly"))
    return (
        Input("measure", "What", "choice", tuple(LABELS.items())),
        Input("op", "is", "choice", signs),
        Input("n", "Number", "number"),
        Input("currency", "Currency", "text"),
        Input("within.amount", "Placed in the last", "number"),
        Input("within.unit", "Unit", "choice", UNITS),
    )


class OrderSource:
    """What people's orders come to, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        days = {"amount": 90, "unit": "days"}
        return [
            Term(
                "orders",
                "Orders",
                "Number and worth of orders, net of refunds",
                {"type": "orders", "measure": "net", "op": "at_least", "n": 100},
                list_total_inputs(),
            ),
            Term(
                "last_order",
                "Last order",
                "When the newest order was placed",
                {"type": "last_order", "op": "within_last", "value": days},
                (
                    Input("op", "Comparison", "choice", DATES),
                    Input("value", "Value", "value"),
                ),
            ),
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        if node["type"] == "last_order":
            reader.allow("type", "op", "value")
            return LastOrder(read_comparison(reader, DATED))
        reader.allow("type", "measure", "op", "n", "currency", "within")
        window = reader.window("within") if reader.has("within") else None
        orders = Orders(window, read_currency_of(reader))
        measure = reader.choice("measure", LABELS)
        if measure != COUNT:
            op = reader.choice("op", SUMS)
            return OrderTotal(orders, measure, op, reader.number("n"))
        op = reader.choice("op", COUNTS)
        least = 1 if op == "at_least" else 0
        return OrderCount(orders, op, reader.whole("n", least=least, most=COUNT_MAX))


def read_currency_of(reader: Reader) -> str:
    """Three capital letters, '' where none is named."""
    value = reader.node.get("currency")
    if value is None or value == "":
        return ""
    is_code = isinstance(value, str) and len(value) == 3 and value.isascii()
    if not is_code or not value.isalpha() or not value.isupper():
        raise RuleError(
            reader.at("currency"), "choice", "must be three capitals, such as EUR"
        )
    return str(value)
