"""Source `attribute` and `everyone`: who the contact is.

A trait is named by `trait`, a column of the profile by `field`:

    {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
    {"type": "attribute", "field": "known_since", "op": "more_than_ago",
     "value": {"amount": 30, "unit": "days"}}
    {"type": "attribute", "trait": "renews_on", "op": "during", "value": "next_week"}
    {"type": "attribute", "trait": "birthday", "op": "anniversary", "value": 7}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crm.facts.calendar import list_spans, select_on_days, wake_on_days
from crm.facts.comparisons import (
    AHEAD,
    CALENDAR,
    DATED,
    EQUALITY,
    EVERY,
    IN_BY_INDEX_MAX,
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
from crm.facts.naming import show_name
from crm.facts.reading import Reader
from crm.ports.facts import (
    ANY_EVENT,
    DEVICE_CHANGED,
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


# What `choose_traits` joins: of what was said and what was computed, the one that
# holds the trait; the computed one wins.
SELECTED = "t.traits"
NO_JOIN = Sql("")


def choose_traits(name: str) -> Sql:
    """A join, under the alias t, with the column that holds this trait."""
    return Sql(
        "CROSS JOIN LATERAL (SELECT CASE WHEN jsonb_exists(c.computed, %s) "
        "THEN c.computed ELSE c.traits END AS traits) t",
        (name,),
    )


def select_contacts(test: Sql, scope: Scope, join: Sql = NO_JOIN) -> Sql:
    """Contacts, neither merged nor erased, for whom `test` holds."""
    limit = scope.limit("c.id")
    return Sql(
        f"SELECT c.id AS contact_id FROM crm_contact c {join.text} "
        f"WHERE {LIVE} AND {test.text}{limit.text}",
        (*join.params, *test.params, *limit.params),
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
        if self.is_field:
            return FIELDS[self.name]
        return show_name(self.name, FIELDS.values())

    def describe(self) -> str:
        return f"have {self.label} that {self.comparison.describe()}"

    def select(self, scope: Scope) -> Selection:
        if self.comparison.op in CALENDAR:
            return Selection(select_on_days(self._spans(scope)))
        return Selection(select_contacts(self._test(scope), scope, self._join))

    @property
    def _join(self) -> Sql:
        plain = self.is_field or self._by_index
        return NO_JOIN if plain else choose_traits(self.name)

    @property
    def _by_index(self) -> bool:
        """Whether the indexes of both columns answer, each for its own."""
        op, value = self.comparison.op, self.comparison.value
        return op == "equals" or (op == "in" and len(value) <= IN_BY_INDEX_MAX)

    def _spans(self, scope: Scope) -> Sql:
        key, day = self.name, Sql("false")
        if not self.is_field:
            # A moment's text is never this short.
            day = Sql(
                f"jsonb_typeof({SELECTED} -> %s) = 'string' "
                f"AND length({SELECTED} ->> %s) = 10",
                (key, key),
            )
        return list_spans(
            self.comparison,
            moment=self._moment(),
            is_day=day,
            people=Sql(f"{self._join.text} WHERE {LIVE}", self._join.params),
            scope=scope,
        )

    def _test(self, scope: Scope) -> Sql:
        if not self.is_field:
            return self._test_trait(scope)
        column = f"c.{self.name}"
        if self.name in TIME_FIELDS:
            return compare_moment(column, self.comparison, scope.at)
        return compare_text(column, self.comparison)

    def _test_trait(self, scope: Scope) -> Sql:
        if not self._by_index:
            return compare_json(SELECTED, self.name, self.comparison, scope.at)
        computed, said = (
            compare_json(column, self.name, self.comparison, scope.at)
            for column in ("c.computed", "c.traits")
        )
        return Sql(
            f"({computed.text} OR ({said.text} AND NOT jsonb_exists(c.computed, %s)))",
            (*computed.params, *said.params, self.name),
        )

    def wake(self, scope: Scope) -> Sql | None:
        if self.comparison.op in CALENDAR:
            return wake_on_days(self._spans(scope))
        window = self.comparison.window
        if window is None:
            return None
        moment, limit = self._moment(), scope.limit("c.id")
        # A moment to come enters "within the last" when it comes, "within the next"
        # one window earlier, and what it entered it leaves one window later.
        if self.comparison.op == "in_next":
            until, first, then = scope.at + window.span, -window.span, timedelta(0)
            since = scope.at
        else:
            until, first, then = scope.at, timedelta(0), window.span
            since = window.start(scope.at)
        join = self._join
        return Sql(
            "SELECT d.contact_id, d.moment + CASE WHEN d.moment > %s THEN %s "
            "ELSE %s END AS wake_at FROM (SELECT c.id AS contact_id, "
            f"{moment.text} AS moment FROM crm_contact c {join.text} "
            f"WHERE {LIVE}{limit.text}) d WHERE d.moment > %s",
            (
                *(until, first, then, *moment.params),
                *(*join.params, *limit.params, since),
            ),
        )

    def _moment(self) -> Sql:
        if self.is_field:
            return Sql(f"c.{self.name}")
        return read_json_moment(SELECTED, self.name)

    def mentions(self) -> Mentions:
        moved_by_any = self.is_field and self.name in TIME_FIELDS
        # The zone decides where a day begins.
        lived_by = (
            ("time_zone", "timezone", DEVICE_CHANGED)
            if self.comparison.op in CALENDAR
            else ()
        )
        return Mentions(
            events=frozenset({ANY_EVENT} if moved_by_any else ()),
            traits=frozenset({self.name, *lived_by}),
        )

    def evidence(self, scope: Scope) -> Evidence:
        value = Sql(f"to_jsonb(c.{self.name})") if self.is_field else None
        value = value or Sql(
            "coalesce(c.computed -> %s, c.traits -> %s)", (self.name, self.name)
        )
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
            comparison = read_comparison(reader, (*DATED, *AHEAD, *CALENDAR, *PRESENCE))
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
