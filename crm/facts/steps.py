"""Steps of a sequence: events of some names, marked by the step that each can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.about import compare_event, show_property
from crm.facts.comparisons import Comparison
from crm.facts.items import list_catalog_mentions
from crm.facts.naming import quote
from crm.facts.window import Window
from crm.ports.facts import Evidence, Mentions, Scope, Sql

# The values of a property that an event holds, itself or in a list of entries.
HELD = """CROSS JOIN LATERAL (
  SELECT n.node ->> %s AS held FROM (SELECT e.properties AS node
    UNION ALL SELECT jsonb_path_query(e.properties, '$.*[*]')) n
  WHERE jsonb_typeof(n.node) = 'object'
    AND jsonb_typeof(n.node -> %s) IN ('string', 'number', 'boolean')
  GROUP BY 1) h"""


@dataclass(frozen=True, slots=True)
class Step:
    """Events of one name whose properties pass."""

    name: str
    where: tuple[tuple[str, Comparison], ...] = ()

    def describe(self) -> str:
        tests = " and ".join(
            f"{show_property(name)} {test.describe()}" for name, test in self.where
        )
        return quote(self.name) + (f" where {tests}" if tests else "")

    def test(self, scope: Scope) -> Sql:
        """Whether the event e is this step."""
        tests = [
            compare_event(name, comparison, scope.at) for name, comparison in self.where
        ]
        return Sql(
            " AND ".join(["e.name = %s", *(test.text for test in tests)]),
            (self.name, *(param for test in tests for param in test.params)),
        )


def select_steps(
    steps: Sequence[Step], scope: Scope, *, window: Window | None, same: str
) -> Sql:
    """`contact_id, t, held, m1, m2 …` of the events that can be one of the steps.

    Reads the covering index alone where no step has a filter and nothing is held.
    """
    marks = [step.test(scope) for step in steps]
    limit = scope.limit("e.contact_id")
    since = () if window is None else (window.start(scope.at),)
    shown = ", ".join(f"({mark.text}) AS m{n}" for n, mark in enumerate(marks, 1))
    held = ("h.held", HELD, (same, same)) if same else ("NULL", "", ())
    return Sql(
        f"SELECT e.contact_id, e.occurred_at AS t, {held[0]} AS held, {shown} "
        f"FROM crm_event e {held[1]} WHERE e.name = ANY(%s::text[]) "
        f"AND e.occurred_at <= %s{' AND e.occurred_at > %s' if since else ''}"
        f"{limit.text}",
        (
            *(param for mark in marks for param in mark.params),
            *held[2],
            list_names(steps),
            *(scope.at, *since, *limit.params),
        ),
    )


def list_names(steps: Iterable[Step]) -> list[str]:
    return sorted({step.name for step in steps})


def list_mentions(steps: Iterable[Step]) -> Mentions:
    found = Mentions()
    for step in steps:
        asked = list_catalog_mentions(name for name, _ in step.where)
        found = found | Mentions(frozenset({step.name}), asked)
    return found


def list_arrivals(steps: Sequence[Step], scope: Scope) -> Sql:
    """When the first event dated after `scope.at` begins to count."""
    limit = scope.limit("e.contact_id")
    return Sql(
        "SELECT e.contact_id, min(e.occurred_at) AS wake_at FROM crm_event e "
        f"WHERE e.name = ANY(%s::text[]) AND e.occurred_at > %s{limit.text} "
        "GROUP BY e.contact_id",
        (list_names(steps), scope.at, *limit.params),
    )


def show_last_times(
    steps: Sequence[Step], scope: Scope, window: Window | None
) -> Evidence:
    """When each step was done last, for one contact."""
    rows = select_steps(steps, scope, window=window, same="")
    shown = ", ".join(
        f"max(q.t) FILTER (WHERE q.m{n})" for n in range(1, len(steps) + 1)
    )
    names = [step.describe() for step in steps]

    def word(row: Sequence[Any] | None) -> str:
        times = row or [None] * len(names)
        return "; ".join(
            f"last {name} on {at:%Y-%m-%d %H:%M:%S} UTC" if at else f"no {name}"
            for name, at in zip(names, times, strict=True)
        )

    return Evidence(Sql(f"SELECT {shown} FROM ({rows.text}) q", rows.params), word)
