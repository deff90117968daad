"""What a computed trait is made of: read from JSON, said in English, asked in SQL.

Pure.

    {"kind": "aggregate", "measure": "average", "name": "Order Completed",
     "property": "value"}
    {"kind": "tier", "of": {"measure": "sum", "name": "Order Completed",
     "property": "value"}, "tiers": [{"at_least": 0, "value": "silver"},
     {"at_least": 1000, "value": "gold"}]}
    {"kind": "tier", "of": {"trait": "points"}, "tiers": […]}

An aggregate is one of `crm.facts.aggregates`, look-ups in catalogs included. A tier
is the highest whose threshold a number reaches: of an aggregate, or of a trait, said
or computed. Below the lowest, and without a number, there is no value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from crm.facts.aggregates import Aggregate, read_aggregate, show_answer
from crm.facts.attributes import LIVE, SELECTED, choose_traits
from crm.facts.comparisons import read_json_number
from crm.facts.reading import Reader, check_text
from crm.ports.facts import (
    CATALOG_CHANGED,
    Evidence,
    Mentions,
    RuleError,
    Scope,
    Sql,
)

KINDS: Final = {"aggregate": "What somebody did", "tier": "A tier by a number"}
TIERS_MAX: Final = 20
TIER_NAME_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class TraitNumber:
    """A trait read as a number."""

    trait: str

    def describe(self) -> str:
        return f"trait “{self.trait}”"

    def select_answers(self, scope: Scope) -> Sql:
        limit, chosen = scope.limit("c.id"), choose_traits(self.trait)
        number = read_json_number(SELECTED)
        return Sql(
            f"SELECT c.id AS contact_id, {number} AS answer FROM crm_contact c "
            f"{chosen.text} WHERE {LIVE}{limit.text}",
            (self.trait, self.trait, *chosen.params, *limit.params),
        )

    def wake(self, scope: Scope) -> Sql | None:
        return None

    def mentions(self) -> Mentions:
        return Mentions(traits=frozenset({self.trait}))

    def evidence(self, scope: Scope) -> Evidence:
        return Evidence(
            self.select_answers(scope),
            lambda row: (
                f"{self.trait} is {show_answer(row[1])}"
                if row and row[1] is not None
                else f"{self.trait} is no number"
            ),
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """The highest of these whose threshold the number reaches."""

    of: Aggregate | TraitNumber
    # (at least, value), rising.
    steps: tuple[tuple[int | float, str], ...]

    def describe(self) -> str:
        words = [f"{value} from {least:,}" for least, value in self.steps]
        return f"tier by {self.of.describe()}: {', '.join(words)}"

    def select_values(self, scope: Scope) -> Sql:
        found = self.of.select_answers(scope)
        steps = "".join(" WHEN s.answer >= %s THEN %s" for _ in self.steps)
        return Sql(
            f"SELECT s.contact_id, to_jsonb((CASE{steps} END)::text) AS value "
            f"FROM ({found.text}) s WHERE s.answer >= %s",
            (
                *(part for step in reversed(self.steps) for part in step),
                *found.params,
                self.steps[0][0],
            ),
        )

    def wake(self, scope: Scope) -> Sql | None:
        return self.of.wake(scope)

    def mentions(self) -> Mentions:
        return self.of.mentions()

    def evidence(self, scope: Scope) -> Evidence:
        return self.of.evidence(scope)


Definition = Aggregate | Tier


def read_definition(data: Any) -> Definition:
    """The definition in `data`, or RuleError with the path of the first fault."""
    reader = Reader.over(data, "spec")
    if reader.choice("kind", KINDS) == "aggregate":
        inner = {key: value for key, value in reader.node.items() if key != "kind"}
        return read_aggregate(Reader(inner, reader.path))
    reader.allow("kind", "of", "tiers")
    return Tier(_read_number(reader), _read_steps(reader))


def _read_number(reader: Reader) -> Aggregate | TraitNumber:
    inner = Reader.over(reader.need("of"), reader.at("of"))
    if inner.has("trait"):
        inner.allow("trait")
        return TraitNumber(inner.name("trait"))
    aggregate = read_aggregate(inner)
    if not aggregate.is_number:
        raise RuleError(inner.at("measure"), "choice", "must give a number")
    return aggregate


def _read_steps(reader: Reader) -> tuple[tuple[int | float, str], ...]:
    steps = [_read_step(node, path) for node, path in reader.items("tiers")]
    if not 1 <= len(steps) <= TIERS_MAX:
        words = f"must list 1 to {TIERS_MAX} tiers"
        raise RuleError(reader.at("tiers"), "range", words)
    for n, (lower, higher) in enumerate(zip(steps, steps[1:], strict=False), start=1):
        if higher[0] <= lower[0]:
            path = f"{reader.at('tiers')}[{n}].at_least"
            raise RuleError(path, "order", f"must be more than {lower[0]:,}")
    return tuple(steps)


def _read_step(node: Any, path: str) -> tuple[int | float, str]:
    reader = Reader.over(node, path)
    reader.allow("at_least", "value")
    value = check_text(reader.need("value"), reader.at("value"), limit=TIER_NAME_MAX)
    if not value.strip():
        raise RuleError(reader.at("value"), "required", "must not be empty")
    return reader.number("at_least"), value


def describe_definition(definition: Definition) -> str:
    """One sentence, as staff read it."""
    words = definition.describe()
    return f"{words[:1].upper()}{words[1:]}."


def has_lookup(definition: Definition) -> bool:
    """Whether values follow from a catalog too, which no event tells of."""
    return CATALOG_CHANGED in definition.mentions().traits
