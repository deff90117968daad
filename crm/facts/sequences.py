"""Source `sequence` and `not_followed`: one thing after another, or not.

    {"type": "sequence", "steps": [{"name": "Product Added"},
       {"name": "Checkout Started"}, {"name": "Order Completed"}],
     "span": {"amount": 2, "unit": "hours"}, "same": "product_id",
     "within": {"amount": 30, "unit": "days"}}
    {"type": "not_followed", "first": {"name": "Product Added"},
     "then": {"name": "Order Completed"}, "span": {"amount": 1, "unit": "hours"},
     "within": {"amount": 7, "unit": "days"}}

Each step has a `name`, and with `where` it speaks of some only. A step comes strictly
later than the one before it; other things may lie between. `span` is the time from
the first step to the last: one exactly a span later comes too late. `within` is the
window in which every step lies. `same` names a property that all steps share: a text
(or number, or truth) of the event itself or of an entry of a list or object in it,
such as the lines of an order. An event without it is no step.

`not_followed` holds from the second on at which `span` is over and nothing came;
without `span` from the first on, until the second comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.facts.events import UNITS
from crm.facts.followed import InSequence, NotFollowed
from crm.facts.happenings import read_filters
from crm.facts.reading import Reader
from crm.facts.steps import Step
from crm.facts.window import Window
from crm.ports.facts import Condition, Input, RuleError, Term

STEPS_MAX = 10

LIMITS = (
    Input("span.amount", "Within (time from first to last)", "number"),
    Input("span.unit", "Unit", "choice", UNITS),
    Input("same", "With the same", "text", suggest="properties"),
    Input("within.amount", "In the last", "number"),
    Input("within.unit", "Unit", "choice", UNITS),
)
HOUR, MONTH = {"amount": 1, "unit": "hours"}, {"amount": 30, "unit": "days"}


class SequenceSource:
    """Sequences, funnels and what was left undone, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        return [
            Term(
                "sequence",
                "Did one thing after another",
                "Up to ten steps in order, as in a funnel",
                {"type": "sequence", "steps": [], "within": MONTH},
                (Input("steps", "Steps, with > between", "steps"), *LIMITS),
            ),
            Term(
                "not_followed",
                "Did one thing and not another after it",
                "Such as an abandoned cart",
                {"type": "not_followed", "first": {}, "then": {}}
                | {"span": HOUR, "within": MONTH},
                (
                    Input("first", "Did", "step", suggest="events"),
                    Input("then", "and then not", "step", suggest="events"),
                    *LIMITS,
                ),
            ),
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        if node["type"] == "not_followed":
            return read_not_followed(reader)
        reader.allow("type", "steps", "span", "within", "same")
        steps = tuple(read_step(*one) for one in reader.items("steps"))
        if not 2 <= len(steps) <= STEPS_MAX:
            raise RuleError(
                reader.at("steps"), "range", f"must list 2 to {STEPS_MAX} steps"
            )
        return InSequence(steps, *read_limits(reader))


def read_not_followed(reader: Reader) -> NotFollowed:
    reader.allow("type", "first", "then", "span", "within", "same")
    first, then = (
        read_step(reader.need(key), reader.at(key)) for key in ("first", "then")
    )
    span, window, same = read_limits(reader)
    if span and window and span.span >= window.span:
        raise RuleError(
            reader.at("span"), "range", "must be shorter than the window, “within”"
        )
    return NotFollowed(first, then, span, window, same)


def read_limits(reader: Reader) -> tuple[Window | None, Window | None, str]:
    return (
        reader.window("span") if reader.has("span") else None,
        reader.window("within") if reader.has("within") else None,
        reader.name("same") if reader.has("same") else "",
    )


def read_step(node: Any, path: str) -> Step:
    reader = Reader.over(node, path)
    reader.allow("name", "where")
    return Step(reader.name("name"), read_filters(reader, "where"))
