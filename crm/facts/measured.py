"""Conditions on what the events of a contact amount to: an aggregate, compared.

They speak of those who performed the event at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from crm.facts.aggregates import Aggregate
from crm.facts.comparisons import (
    DATED,
    EQUALITY,
    NUMERIC,
    TEXTUAL,
    Comparison,
    compare_json,
    compare_moment,
)
from crm.facts.naming import show_name
from crm.ports.facts import Evidence, Mentions, Scope, Selection, Sql

# The operators that fit an answer.
OF_NUMBER = (*EQUALITY, *NUMERIC)
OF_VALUE = (*EQUALITY, *TEXTUAL, *NUMERIC)
SUMS = {"at_least": "gte", "more_than": "gt", "at_most": "lte", "less_than": "lt"}


def list_operators(aggregate: Aggregate) -> tuple[str, ...]:
    """What the answer of this aggregate may be compared by."""
    if aggregate.is_moment:
        return DATED
    return OF_NUMBER if aggregate.is_number else OF_VALUE


@dataclass(frozen=True, slots=True)
class Measured:
    """An aggregate whose answer passes a comparison, one of `list_operators`."""

    aggregate: Aggregate
    comparison: Comparison

    def describe(self) -> str:
        return f"have {self.aggregate.describe()} that {self.comparison.describe()}"

    def select(self, scope: Scope) -> Selection:
        if self.aggregate.is_number and self.comparison.op in NUMERIC:
            return Selection(self._select_having(scope))
        found = self.aggregate.select_answers(scope)
        test = self._test(scope)
        return Selection(
            Sql(
                f"SELECT s.contact_id FROM ({found.text}) s WHERE {test.text}",
                (*found.params, *test.params),
            )
        )

    def _select_having(self, scope: Scope) -> Sql:
        rows, sign = self.aggregate.rows(scope), NUMERIC[self.comparison.op]
        return Sql(
            f"SELECT e.contact_id {rows.text} GROUP BY e.contact_id "
            f"HAVING {self.aggregate.answer} {sign} %s",
            (*rows.params, self.comparison.value),
        )

    def _test(self, scope: Scope) -> Sql:
        if self.aggregate.is_moment:
            return compare_moment("s.answer", self.comparison, scope.at)
        held = "jsonb_build_object('answer', s.answer)"
        return compare_json(held, "answer", self.comparison, scope.at)

    def wake(self, scope: Scope) -> Sql:
        wakes, window = self.aggregate.wake(scope), self.comparison.window
        if window is None:
            return wakes
        # The answer itself grows old: "the last order was within 30 days".
        found = self.aggregate.select_answers(scope)
        return Sql(
            f"{wakes.text} UNION ALL SELECT s.contact_id, s.answer + %s "
            f"FROM ({found.text}) s WHERE s.answer > %s",
            (*wakes.params, window.span, *found.params, window.start(scope.at)),
        )

    def mentions(self) -> Mentions:
        return self.aggregate.mentions()

    def evidence(self, scope: Scope) -> Evidence:
        return self.aggregate.evidence(scope)


@dataclass(frozen=True, slots=True)
class Summed(Measured):
    """The sum of a numeric property: the condition `event` with `sum`."""

    word: str = ""

    @classmethod
    def of(cls, aggregate: Aggregate, op: str, n: int | float) -> Summed:
        return cls(aggregate, Comparison(SUMS[op], n), op.replace("_", " "))

    def describe(self) -> str:
        return (
            f"have a total {show_name(self.aggregate.prop)} of {self.word} "
            f"{self.comparison.value:,} from {self.aggregate.happening.describe()}"
        )
