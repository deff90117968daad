"""One thing after another, or not: sequences of up to ten steps.

A scan in the order of time carries, for each step, the latest start of a sequence
that has come so far. Whoever starts later has less time behind them, so the latest
start is the one that decides, and no combination is ever tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm.facts.naming import show_name
from crm.facts.steps import (
    Step,
    list_arrivals,
    list_mentions,
    select_steps,
    show_last_times,
)
from crm.facts.window import Window
from crm.ports.facts import Evidence, Mentions, Scope, Selection, Sql

# All that is strictly before: the database's clock counts microseconds. The frame
# only ever grows, so each row costs the same however many there are.
EARLIER = "RANGE BETWEEN UNBOUNDED PRECEDING AND interval '1 microsecond' PRECEDING"


def show_limits(span: Window | None, same: str, window: Window | None) -> str:
    words = f" within {span}" if span else ""
    words += f" with the same {show_name(same)}" if same else ""
    return words + (f", in the last {window}" if window else ", ever")


@dataclass(frozen=True, slots=True)
class InSequence:
    """Each step after the one before it, the last within `span` of the first."""

    steps: tuple[Step, ...]
    span: Window | None = None
    window: Window | None = None
    same: str = ""

    def describe(self) -> str:
        words = " and then ".join(step.describe() for step in self.steps)
        limits = show_limits(self.span, self.same, self.window)
        return f"performed {words}{limits}"

    def select(self, scope: Scope) -> Selection:
        ends = self._ends(scope)
        return Selection(
            Sql(
                f"SELECT q.contact_id FROM ({ends.text}) q GROUP BY q.contact_id",
                ends.params,
            )
        )

    def _ends(self, scope: Scope) -> Sql:
        """`contact_id, started`: of each way in which the sequence came to its end."""
        found = select_steps(self.steps, scope, window=self.window, same=self.same)
        text, last = found.text, len(self.steps)
        text = f"SELECT p.*, CASE WHEN p.m1 THEN p.t END AS s1 FROM ({text}) p"
        for n in range(2, last + 1):
            text = (
                f"SELECT p.*, CASE WHEN p.m{n} THEN max(p.s{n - 1}) OVER ("
                f"PARTITION BY p.contact_id, p.held ORDER BY p.t {EARLIER}) END "
                f"AS s{n} FROM ({text}) p"
            )
        limit = (self.span.span,) if self.span else ()
        return Sql(
            f"SELECT p.contact_id, p.s{last} AS started FROM ({text}) p "
            f"WHERE p.s{last} IS NOT NULL"
            f"{f' AND p.t - p.s{last} < %s' if limit else ''}",
            (*found.params, *limit),
        )

    def wake(self, scope: Scope) -> Sql | None:
        arrivals = list_arrivals(self.steps, scope)
        if self.window is None:
            return arrivals
        ends = self._ends(scope)
        # Gone when the first step of the one that started last leaves the window.
        return Sql(
            "SELECT q.contact_id, max(q.started) + %s AS wake_at "
            f"FROM ({ends.text}) q GROUP BY q.contact_id UNION ALL {arrivals.text}",
            (self.window.span, *ends.params, *arrivals.params),
        )

    def mentions(self) -> Mentions:
        return list_mentions(self.steps)

    def evidence(self, scope: Scope) -> Evidence:
        return show_last_times(self.steps, scope, self.window)


@dataclass(frozen=True, slots=True)
class NotFollowed:
    """The first, and nothing of the second before `span` was over."""

    first: Step
    then: Step
    span: Window | None = None
    window: Window | None = None
    same: str = ""

    def describe(self) -> str:
        limits = show_limits(self.span, self.same, self.window)
        return (
            f"performed {self.first.describe()} and not {self.then.describe()}{limits}"
        )

    @property
    def _steps(self) -> tuple[Step, Step]:
        return (self.first, self.then)

    def _pairs(self, scope: Scope) -> Sql:
        """`contact_id, t, later`: each first, and when the next second came."""
        found = select_steps(self._steps, scope, window=self.window, same=self.same)
        return Sql(
            "SELECT q.contact_id, q.t, q.later FROM (SELECT p.contact_id, p.t, p.m1, "
            "min(CASE WHEN p.m2 THEN p.t END) OVER (PARTITION BY p.contact_id, p.held "
            f"ORDER BY p.t DESC {EARLIER}) AS later FROM ({found.text}) p) q "
            "WHERE q.m1",
            found.params,
        )

    def _is_left(self, scope: Scope) -> Sql:
        """Whether the time is over and nothing came in it; of `_pairs` as r."""
        if self.span is None:
            return Sql("r.later IS NULL")
        return Sql(
            "r.t <= %s AND (r.later IS NULL OR r.later - r.t >= %s)",
            (self.span.start(scope.at), self.span.span),
        )

    def select(self, scope: Scope) -> Selection:
        pairs, left = self._pairs(scope), self._is_left(scope)
        return Selection(
            Sql(
                f"SELECT r.contact_id FROM ({pairs.text}) r WHERE {left.text} "
                "GROUP BY r.contact_id",
                (*pairs.params, *left.params),
            )
        )

    def wake(self, scope: Scope) -> Sql | None:
        arrivals = list_arrivals(self._steps, scope)
        pairs, left = self._pairs(scope), self._is_left(scope)
        moments: list[str] = []
        params: tuple[Any, ...] = ()
        if self.span:
            moments.append("min(r.t) FILTER (WHERE r.t > %s AND r.later IS NULL) + %s")
            params += (self.span.start(scope.at), self.span.span)
        if self.window:
            moments.append(f"max(r.t) FILTER (WHERE {left.text}) + %s")
            params += (*left.params, self.window.span)
        if not moments:
            return arrivals
        return Sql(
            f"SELECT r.contact_id, least({', '.join(moments)}) AS wake_at "
            f"FROM ({pairs.text}) r GROUP BY r.contact_id UNION ALL {arrivals.text}",
            (*params, *pairs.params, *arrivals.params),
        )

    def mentions(self) -> Mentions:
        return list_mentions(self._steps)

    def evidence(self, scope: Scope) -> Evidence:
        return show_last_times(self._steps, scope, self.window)
