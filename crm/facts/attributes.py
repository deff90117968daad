"""Source `attribute` and `everyone`: who the contact is.

A trait is named by `trait`, a column of the profile by `field`:

    {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    {"type": "attribute", "field": "known_since", "op": "more_than_ago",
     "value": {"amount": 30, "unit": "days"}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.facts.comparisons import (
    DATED,
    EQUALITY,
    EVERY,
    PRESENCE,
    TEXTUAL,
    WORDS,
    Comparison,
    compare_json,
    compare_moment,
    compare_text,
    read_comparison,
    read_json_moment,
    show_value,
)
from crm.facts.reading import Reader
from crm.ports.facts import (
    ANY_EVENT,
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

LIVE = "c.canonical_id IS NULL AND c.erased_at IS NULL"
# Profile columns a rule may name: constants, so they may stand in the SQL text.
TEXT_FIELDS = {
    "external_id": "external id",
    "email": "e-mail",
    "phone": "phone",
    "locale": "locale",
    "time_zone": "time zone",
}
TIME_FIELDS = {
    "known_since": "first seen",
    "last_active_at": "last active",
    "created_at": "added",
}
FIELDS = {**TEXT_FIELDS, **TIME_FIELDS}


def select_contacts(test: Sql, scope: Scope) -> Sql:
    """Contacts, neither merged nor erased, for whom `test` holds."""
    limit = scope.limit("c.id")
    return Sql(
        f"SELECT c.id AS contact_id FROM crm_contact c "
        f"WHERE {LIVE} AND {test.text}{limit.text}",
        (*test.params, *limit.params),
    )


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every contact that was neither merged away nor erased."""

    def describe(self) -> str:
        return "are contacts"

    def select(self, scope: Scope) -> Selection:
        return Selection(select_contacts(Sql("TRUE"), scope))

    def wake(self, scope: Scope) -> Sql | None:
        return None

    def mentions(self) -> Mentions:
        return Mentions()

    def evidence(self, scope: Scope) -> Evidence:
        return Evidence(
            select_contacts(Sql("TRUE"), scope),
            lambda row: "is a contact" if row else "was merged or erased",
        )


@dataclass(frozen=True, slots=True)
class Attribute:
    """A trait or a profile column, compared."""

    name: str
    comparison: Comparison
    is_field: bool = False

    @property
    def label(self) -> str:
        return FIELDS[self.name] if self.is_field else self.name

    def describe(self) -> str:
        return f"have {self.label} that {self.comparison.describe()}"

    def select(self, scope: Scope) -> Selection:
        return Selection(select_contacts(self._test(scope), scope))

    def _test(self, scope: Scope) -> Sql:
        if not self.is_field:
            return compare_json("c.traits", self.name, self.comparison, scope.at)
        column = f"c.{self.name}"
        if self.name in TIME_FIELDS:
            return compare_moment(column, self.comparison, scope.at)
        return compare_text(column, self.comparison)

    def wake(self, scope: Scope) -> Sql | None:
        window = self.comparison.window
        if window is None:
            return None
        moment, limit = self._moment(), scope.limit("c.id")
        # A moment to come enters "within the last" when it comes.
        return Sql(
            "SELECT d.contact_id, CASE WHEN d.moment > %s THEN d.moment "
            "ELSE d.moment + %s END AS wake_at FROM (SELECT c.id AS contact_id, "
            f"{moment.text} AS moment FROM crm_contact c WHERE {LIVE}{limit.text}) d "
            "WHERE d.moment > %s",
            (
                scope.at,
                window.span,
                *moment.params,
                *limit.params,
                window.start(scope.at),
            ),
        )

    def _moment(self) -> Sql:
        if self.is_field:
            return Sql(f"c.{self.name}")
        return read_json_moment("c.traits", self.name)

    def mentions(self) -> Mentions:
        moved_by_any = self.is_field and self.name in TIME_FIELDS
        return Mentions(
            events=frozenset({ANY_EVENT} if moved_by_any else ()),
            traits=frozenset({self.name}),
        )

    def evidence(self, scope: Scope) -> Evidence:
        value = Sql(f"to_jsonb(c.{self.name})") if self.is_field else None
        value = value or Sql("c.traits -> %s", (self.name,))
        limit = scope.limit("c.id")
        return Evidence(
            Sql(
                f"SELECT ({value.text})::text FROM crm_contact c "
                f"WHERE TRUE{limit.text}",
                (*value.params, *limit.params),
            ),
            self._word_evidence,
        )

    def _word_evidence(self, row: Sequence[Any] | None) -> str:
        known = row is not None and row[0] not in (None, "null", '""')
        return f"{self.label} is {row[0]}" if row and known else f"no {self.label}"


class AttributeSource:
    """Traits and profile columns, registered by the crm itself."""

    def terms(self) -> Sequence[Term]:
        ops = tuple((op, WORDS[op]) for op in EVERY)
        comparison = (
            Input("op", "Comparison", "choice", ops),
            Input("value", "Value", "value", suggest="values"),
        )
        blank = {"op": "equals", "value": ""}
        return [
            Term(
                "attribute",
                "Attribute",
                "Something known about the person",
                {"type": "attribute", "trait": "", **blank},
                (
                    Input("trait", "Trait", "text", suggest="traits"),
                    Input("field", "or field", "choice", (("", "–"), *FIELDS.items())),
                    *comparison,
                ),
            ),
            Term("everyone", "Everyone", "All contacts", {"type": "everyone"}),
        ]

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        reader = Reader(node, path)
        if node["type"] == "everyone":
            reader.allow("type")
            return Everyone()
        reader.allow("type", "trait", "field", "op", "value")
        if reader.has("trait") and reader.has("field"):
            raise RuleError(path, "choice", "names a trait or a field, not both")
        if not reader.has("field"):
            return Attribute(reader.name("trait"), read_comparison(reader, EVERY))
        return self._read_field(reader)

    def _read_field(self, reader: Reader) -> Attribute:
        name = reader.choice("field", FIELDS)
        if name in TIME_FIELDS:
            comparison = read_comparison(reader, (*DATED, *PRESENCE))
            return Attribute(name, comparison, is_field=True)
        comparison = read_comparison(reader, (*EQUALITY, *TEXTUAL, *PRESENCE))
        values = (
            comparison.value
            if isinstance(comparison.value, tuple)
            else (comparison.value or "",)
        )
        if not all(isinstance(value, str) for value in values):
            raise RuleError(
                reader.at("value"),
                "type",
                f"must be text, not {show_value(comparison.value)}",
            )
        return Attribute(name, comparison, is_field=True)
