"""One value out of what a contact did: how many, how much, which most, which last.

    {"measure": "average", "name": "Order Completed", "property": "value",
     "within": {"amount": 90, "unit": "days"}}
    {"measure": "most_frequent", "names": ["Product Viewed", "Product Added"],
     "property": "product_id", "lookup": {"catalog": "products", "field": "category"}}
    {"measure": "last", "name": "Order Completed", "lines": "products",
     "property": "sku"}

`within`, `between` and `where` are those of the condition `event`. `lines` names a
list of objects in the properties and reads the property of each entry; `lookup` takes
what was read for the code of a catalog's item and goes on with a field of that item.

Numbers are read from JSON numbers alone. A value is a text that is not empty, a
number, true or false; lists, objects and null are passed over. Of values that are
as frequent as each other the one that came last wins. Somebody who never performed
the event has no value, of a count neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from crm.facts.comparisons import show_value
from crm.facts.happenings import OLDEST, Happening, read_happening, wake_at_rank
from crm.facts.naming import quote, show_name
from crm.facts.reading import NAME_MAX, Reader, check_text
from crm.ports.facts import (
    CATALOG_CHANGED,
    Evidence,
    Mentions,
    RuleError,
    Scope,
    Sql,
)

MEASURES: Final = {
    "count": "number",
    "sum": "total",
    "average": "average",
    "minimum": "lowest",
    "maximum": "highest",
    "distinct": "number of different",
    "first": "first",
    "last": "last",
    "most_frequent": "most frequent",
    "first_at": "time of the first",
    "last_at": "time of the last",
}
# What of each event is counted, so there is no property to read.
OF_EVENTS: Final = frozenset({"count", "first_at", "last_at"})
# Of these a number is read from each event.
OF_NUMBERS: Final = frozenset({"sum", "average", "minimum", "maximum"})
# What the answer is.
NUMBERS: Final = OF_NUMBERS | {"count", "distinct"}
MOMENTS: Final = frozenset({"first_at", "last_at"})
# The property that ingest copies into the column of the covering index.
VALUE: Final = "value"
# Columns of an item; every other field is one of its attributes. Constants, so they
# may stand in the SQL text.
ITEM_COLUMNS: Final = (
    "code",
    "name",
    "url",
    "image_url",
    "price",
    "was_price",
    "currency",
    "category",
)
IN_ORDER: Final = "ORDER BY e.occurred_at, e.id, e.nr"
NEWEST_FIRST: Final = "ORDER BY e.occurred_at DESC, e.id DESC, e.nr DESC"
LINES: Final = (
    "CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN "
    "jsonb_typeof(e.properties -> %s) = 'array' THEN e.properties -> %s "
    "ELSE '[]' END) WITH ORDINALITY l (line, nr)"
)
NUMBER: Final = (
    "CASE WHEN jsonb_typeof(e.v) = 'number' THEN (e.v #>> '{}')::numeric END"
)
KNOWN: Final = (
    "CASE WHEN jsonb_typeof(e.v) IN ('number', 'boolean', 'string') "
    "AND e.v <> '\"\"' THEN e.v END"
)
ANSWERS: Final = {
    "count": "count(*)",
    "sum": "coalesce(sum(e.n), 0)",
    "average": "avg(e.n)",
    "minimum": "min(e.n)",
    "maximum": "max(e.n)",
    "distinct": "count(DISTINCT e.v)",
    "first": f"(array_agg(e.v {IN_ORDER}) FILTER (WHERE e.v IS NOT NULL))[1]",
    "last": f"(array_agg(e.v {NEWEST_FIRST}) FILTER (WHERE e.v IS NOT NULL))[1]",
    # The last key decides only between values of one moment, in any database alike.
    "most_frequent": "(array_agg(e.v ORDER BY e.times DESC, e.newest DESC, "
    'e.v::text COLLATE "C"))[1]',
    "first_at": "min(e.occurred_at)",
    "last_at": "max(e.occurred_at)",
}
KEYS: Final = (
    "measure",
    "name",
    "names",
    "within",
    "between",
    "where",
    "property",
    "lines",
    "lookup",
)
# Names of events that one aggregate may count alike.
NAMES_MAX: Final = 20
# Digits after the point that an average keeps.
AVERAGE_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Lookup:
    """From the code of an item to a field of it."""

    catalog: str
    field: str

    def read(self, code: Sql) -> Sql:
        if self.field in ITEM_COLUMNS:
            found = Sql(f"to_jsonb(i.{self.field})")
        else:
            found = Sql("i.attributes -> %s", (self.field,))
        return Sql(
            f"(SELECT {found.text} FROM crm_product i WHERE i.catalog_id = %s "
            f"AND i.code = (({code.text}) #>> '{{}}'))",
            (*found.params, self.catalog, *code.params),
        )


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A measure of what the events of each contact hold."""

    measure: str
    happening: Happening
    prop: str = ""
    lines: str = ""
    lookup: Lookup | None = None

    @property
    def is_number(self) -> bool:
        return self.measure in NUMBERS

    @property
    def is_moment(self) -> bool:
        return self.measure in MOMENTS

    @property
    def is_of_numbers(self) -> bool:
        return self.measure in OF_NUMBERS

    @property
    def _is_column(self) -> bool:
        """Whether the covering index holds what is read."""
        plain = not self.lines and self.lookup is None
        return self.is_of_numbers and self.prop == VALUE and plain

    def describe(self) -> str:
        """A noun: "average value of “Order Completed” in the last 90 days"."""
        joint = " " if self.is_moment else " of "
        return f"{self.title}{joint}{self.happening.describe()}"

    @property
    def title(self) -> str:
        """What is measured, without the events: "average value"."""
        word = MEASURES[self.measure]
        if self.measure in OF_EVENTS:
            return word
        read = show_name(self.prop)
        read += f" in {show_name(self.lines)}" if self.lines else ""
        if self.lookup:
            field, catalog = show_name(self.lookup.field), quote(self.lookup.catalog)
            read = f"item {field} (catalog {catalog}, by {read})"
        return f"{word} {read}"

    @property
    def answer(self) -> str:
        """The measure over the grouped events of `rows`; takes no parameters."""
        return ANSWERS[self.measure]

    def rows(self, scope: Scope) -> Sql:
        """FROM what is measured: contact_id, occurred_at and n, v or times; alias e."""
        found = self._events(scope)
        if self.measure != "most_frequent":
            return Sql(f"FROM ({found.text}) e", found.params)
        return Sql(
            "FROM (SELECT e.contact_id, e.v, count(*) AS times, "
            f"max(e.occurred_at) AS newest FROM ({found.text}) e "
            "WHERE e.v IS NOT NULL GROUP BY e.contact_id, e.v) e",
            found.params,
        )

    def _events(self, scope: Scope) -> Sql:
        """Each event, or each line of one, with its number n or its value v."""
        if self.measure in OF_EVENTS:
            return self._read_events(Sql(""), scope)
        if self._is_column:
            return self._read_events(Sql(", e.value AS n"), scope)
        column = "l.line" if self.lines else "e.properties"
        value = Sql(f"{column} -> %s", (self.prop,))
        value = self.lookup.read(value) if self.lookup else value
        found = self._read_events(Sql(f", {value.text} AS v", value.params), scope)
        typed = f"{NUMBER} AS n" if self.is_of_numbers else f"{KNOWN} AS v"
        return Sql(
            f"SELECT e.contact_id, e.occurred_at, e.id, e.nr, {typed} "
            f"FROM ({found.text}) e",
            found.params,
        )

    def _read_events(self, column: Sql, scope: Scope) -> Sql:
        test, source, nr = self.happening.test(scope), Sql("crm_event e"), "0 AS nr"
        if self.lines:
            nr = "l.nr"
            source = Sql(f"crm_event e {LINES}", (self.lines, self.lines))
        # A look-up is made once an event, not once a mention of its answer.
        fence = " OFFSET 0" if self.lookup else ""
        return Sql(
            f"SELECT e.contact_id, e.occurred_at, e.id, {nr}{column.text} "
            f"FROM {source.text} WHERE {test.text}{fence}",
            (*column.params, *source.params, *test.params),
        )

    def select_answers(self, scope: Scope) -> Sql:
        """`SELECT contact_id, answer`, once for each who performed the event."""
        rows = self.rows(scope)
        return Sql(
            f"SELECT e.contact_id, {self.answer} AS answer {rows.text} "
            "GROUP BY e.contact_id",
            rows.params,
        )

    def select_values(self, scope: Scope) -> Sql:
        """`SELECT contact_id, value`: the answer as JSON, where there is one."""
        found, value = self.select_answers(scope), "s.answer"
        if self.measure == "average":
            value = f"round(s.answer, {AVERAGE_DIGITS})"
        if self.is_number:
            value = f"trim_scale(({value})::numeric)"
        return Sql(
            f"SELECT s.contact_id, to_jsonb({value}) AS value FROM ({found.text}) s "
            "WHERE s.answer IS NOT NULL",
            found.params,
        )

    def wake(self, scope: Scope) -> Sql:
        """When time alone may change the answer: see `Condition.wake`."""
        rank = Sql("1") if self.measure == "last_at" else OLDEST
        return wake_at_rank(self.happening, scope, rank)

    def mentions(self) -> Mentions:
        looked = frozenset({CATALOG_CHANGED} if self.lookup else ())
        return self.happening.mentions() | Mentions(traits=looked)

    def evidence(self, scope: Scope) -> Evidence:
        """The answer with how many events there were, and the newest of them."""
        answers, rows = self.select_answers(scope), self.happening.rows(scope)
        return Evidence(
            Sql(
                f"SELECT a.answer, s.n, s.newest FROM (SELECT count(*) AS n, "
                f"max(e.occurred_at) AS newest {rows.text}) s "
                f"LEFT JOIN ({answers.text}) a ON TRUE",
                (*rows.params, *answers.params),
            ),
            self._word_evidence,
        )

    def _word_evidence(self, row: Sequence[Any] | None) -> str:
        if not row or not row[1]:
            return f"never did {self.happening.describe()}"
        times = "one event" if row[1] == 1 else f"{row[1]:,} events"
        answer = "unknown" if row[0] is None else self._show(row[0])
        newest = f"{row[2]:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.title} is {answer}, from {times}, the last on {newest}"

    def _show(self, answer: Any) -> str:
        """Values come as the text of their JSON."""
        is_value = not self.is_number and not self.is_moment
        return show_answer(json.loads(answer) if is_value else answer)


def show_answer(answer: Any) -> str:
    """An answer as staff read it: "1,204.5", "“Shoes”", a date."""
    if isinstance(answer, Decimal):
        text = f"{round(answer, AVERAGE_DIGITS):,f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return show_value(answer)


def read_aggregate(reader: Reader) -> Aggregate:
    """The aggregate that a node describes, or RuleError with its path."""
    reader.allow(*KEYS)
    measure = reader.choice("measure", MEASURES)
    happening = read_happenings(reader)
    if measure in OF_EVENTS:
        for key in ("property", "lines", "lookup"):
            if reader.has(key):
                words = f"has no use with {measure}"
                raise RuleError(reader.at(key), "unknown_key", words)
        return Aggregate(measure, happening)
    return Aggregate(
        measure,
        happening,
        reader.name("property"),
        reader.name("lines") if reader.has("lines") else "",
        read_lookup(reader) if reader.has("lookup") else None,
    )


def read_happenings(reader: Reader) -> Happening:
    """`name` or `names`, with `within` and `where`."""
    if not reader.has("names"):
        return read_happening(reader)
    if reader.has("name"):
        raise RuleError(reader.path, "choice", "has a name or names, not both")
    names = []
    for value, path in reader.items("names"):
        name = check_text(value, path, limit=NAME_MAX)
        if not name.strip():
            raise RuleError(path, "required", "must not be empty")
        names.append(name)
    if not 1 <= len(names) <= NAMES_MAX:
        words = f"must list 1 to {NAMES_MAX} names"
        raise RuleError(reader.at("names"), "range", words)
    first, *others = dict.fromkeys(names)
    inner = Reader({**reader.node, "name": first}, reader.path)
    return replace(read_happening(inner), others=tuple(others))


def read_lookup(reader: Reader) -> Lookup:
    inner = Reader.over(reader.need("lookup"), reader.at("lookup"))
    inner.allow("catalog", "field")
    return Lookup(inner.name("catalog"), inner.name("field"))
