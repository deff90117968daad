"""Comparing one value, in a JSON column or a typed one, with what a rule says.

Missing and wrongly typed values: a comparison with them is false, and
`not_equals` and `not_exists` are the exact opposites of `equals` and `exists`, so
they hold for contacts without the value too. JSON null counts as missing. Text
compares exactly, letter case included. Numbers compare with JSON numbers only.
Dates are read from ISO 8601 text or epoch numbers (seconds, or milliseconds from
1e11 on); text without an offset is UTC.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.facts.reading import Reader, check_moment, check_scalar, check_text
from crm.facts.window import Window
from crm.ports.facts import RuleError, Sql

EQUALITY = ("equals", "not_equals", "in")
TEXTUAL = ("contains", "starts_with")
PRESENCE = ("exists", "not_exists")
NUMERIC = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
DATED = ("before", "after", "within_last", "more_than_ago")
# Operators of property filters: an event's own time has the rule's window.
PLAIN = (*EQUALITY, *TEXTUAL, *PRESENCE, *NUMERIC)
EVERY = (*PLAIN, *DATED)
# Up to this many values, OR of @> lets the GIN index answer.
IN_BY_INDEX_MAX = 20

WORDS = {
    "equals": "is",
    "not_equals": "is not",
    "in": "is one of",
    "contains": "contains",
    "starts_with": "starts with",
    "exists": "is known",
    "not_exists": "is not known",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "before": "is before",
    "after": "is after",
    "within_last": "is within the last",
    "more_than_ago": "is longer ago than",
}

ISO_MOMENT = (
    r"^([1-9]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(\.\d{1,6})?\d*)?"
    r"\s?(?:Z|([+-])(0\d|1[0-4]):?([0-5]\d))?)?$"
)
# The moment in the JSON value of one key, or NULL; it never raises, whatever the
# value is, which is why it takes the text apart instead of casting it.
JSON_MOMENT = """(
SELECT CASE
  WHEN jsonb_typeof(j.v) = 'number' THEN CASE
    WHEN (j.v #>> '{{}}')::numeric < 0 THEN NULL
    WHEN (j.v #>> '{{}}')::numeric < 1e11
      THEN to_timestamp((j.v #>> '{{}}')::float8)
    WHEN (j.v #>> '{{}}')::numeric <= 253402300799000
      THEN to_timestamp((j.v #>> '{{}}')::float8 / 1000) END
  WHEN p.p IS NOT NULL AND p.p[3]::int <= extract(day FROM
      make_date(p.p[1]::int, p.p[2]::int, 1) + interval '1 month - 1 day')
    THEN (make_timestamp(p.p[1]::int, p.p[2]::int, p.p[3]::int,
      coalesce(p.p[4], '0')::int, coalesce(p.p[5], '0')::int,
      (coalesce(p.p[6], '0') || coalesce(p.p[7], ''))::float8)
      - make_interval(mins => coalesce(
        (p.p[8] || '1')::int * (p.p[9]::int * 60 + p.p[10]::int), 0)))
      AT TIME ZONE 'UTC'
  END
FROM (SELECT {column} -> %s AS v) AS j, LATERAL (SELECT regexp_match(
  CASE WHEN jsonb_typeof(j.v) = 'string' THEN j.v #>> '{{}}' END, %s) AS p) AS p)"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operator and what it compares with."""

    op: str
    value: Any = None

    def describe(self) -> str:
        if self.op in PRESENCE:
            return WORDS[self.op]
        if self.op == "more_than_ago":
            return f"is {self.value} ago or longer"
        return f"{WORDS[self.op]} {show_value(self.value)}"

    @property
    def window(self) -> Window | None:
        return self.value if isinstance(self.value, Window) else None


def read_comparison(reader: Reader, ops: Collection[str]) -> Comparison:
    """The `op` and `value` of a node."""
    op = reader.choice("op", ops)
    if op in PRESENCE:
        if reader.has("value"):
            raise RuleError(reader.at("value"), "unknown_key", "has no use here")
        return Comparison(op)
    if op in ("within_last", "more_than_ago"):
        return Comparison(op, reader.window("value"))
    value, path = reader.need("value"), reader.at("value")
    if op in ("before", "after"):
        return Comparison(op, check_moment(value, path))
    if op in NUMERIC:
        return Comparison(op, reader.number("value"))
    if op == "in":
        entries = tuple(check_scalar(one, at) for one, at in reader.items("value"))
        if not entries:
            raise RuleError(path, "required", "must list at least one value")
        return Comparison(op, entries)
    return Comparison(
        op, check_scalar(value, path) if op in EQUALITY else check_text(value, path)
    )


def show_value(value: Any) -> str:
    """A value as staff read it."""
    if isinstance(value, tuple):
        return ", ".join(show_value(one) for one in value)
    if isinstance(value, datetime):
        form = "%Y-%m-%d" if value.hour == value.minute == 0 else "%Y-%m-%d %H:%M UTC"
        return value.strftime(form)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:,}"
    return f"“{value}”" if isinstance(value, str) else str(value)


def read_json_number(column: str) -> str:
    """The JSON number under a key (two parameters), or NULL."""
    return (
        f"CASE WHEN jsonb_typeof({column} -> %s) = 'number' "
        f"THEN ({column} ->> %s)::numeric END"
    )


def read_json_moment(column: str, key: str) -> Sql:
    return Sql(JSON_MOMENT.format(column=column), (key, ISO_MOMENT))


def compare_json(column: str, key: str, comparison: Comparison, at: datetime) -> Sql:
    """A condition on the value of `key` in a jsonb column; never NULL."""
    op, value = comparison.op, comparison.value
    if op in EQUALITY:
        return _equal_json(column, key, comparison)
    if op in PRESENCE:
        known = f"coalesce(jsonb_typeof({column} -> %s) <> 'null', false)"
        return Sql(known if op == "exists" else f"NOT {known}", (key,))
    if op in NUMERIC:
        number = read_json_number(column)
        return Sql(f"coalesce({number} {NUMERIC[op]} %s, false)", (key, key, value))
    if op == "starts_with":
        return Sql(
            f"coalesce(jsonb_typeof({column} -> %s) = 'string' "
            f"AND starts_with({column} ->> %s, %s), false)",
            (key, key, value),
        )
    if op == "contains":
        # A list contains an entry; a text contains a part.
        return Sql(
            f"({column} @> %s::jsonb OR coalesce(jsonb_typeof({column} -> %s) = "
            f"'string' AND strpos({column} ->> %s, %s) > 0, false))",
            (json.dumps({key: [value]}), key, key, value),
        )
    moment = read_json_moment(column, key)
    test = compare_moment(moment.text, comparison, at)
    return Sql(test.text, (*moment.params, *test.params))


def _equal_json(column: str, key: str, comparison: Comparison) -> Sql:
    if comparison.op != "in":
        negation = "NOT " if comparison.op == "not_equals" else ""
        document = json.dumps({key: comparison.value})
        return Sql(f"{negation}{column} @> %s::jsonb", (document,))
    if len(comparison.value) > IN_BY_INDEX_MAX:
        values = [json.dumps(one) for one in comparison.value]
        return Sql(f"coalesce({column} -> %s = ANY(%s::jsonb[]), false)", (key, values))
    tests = " OR ".join([f"{column} @> %s::jsonb"] * len(comparison.value))
    documents = tuple(json.dumps({key: one}) for one in comparison.value)
    return Sql(f"({tests})", documents)


def compare_text(column: str, comparison: Comparison) -> Sql:
    """A condition on a text column in which '' and NULL mean unknown."""
    op, value, known = comparison.op, comparison.value, f"coalesce({column}, '')"
    if op in PRESENCE:
        return Sql(f"{known} {'<>' if op == 'exists' else '='} ''")
    if op == "in":
        return Sql(f"coalesce({column} = ANY(%s::text[]), false)", (list(value),))
    forms = {
        "equals": f"coalesce({column} = %s, false)",
        "not_equals": f"{known} <> %s",
        "contains": f"strpos({known}, %s) > 0",
        "starts_with": f"starts_with({known}, %s)",
    }
    return Sql(forms[op], (value,))


def compare_moment(expression: str, comparison: Comparison, at: datetime) -> Sql:
    """A condition on a timestamptz expression, used once; never NULL."""
    op, window = comparison.op, comparison.window
    if op in PRESENCE:
        return Sql(f"{expression} IS {'NOT ' if op == 'exists' else ''}NULL")
    if window is None:
        sign = "<" if op == "before" else ">"
        return Sql(f"coalesce({expression} {sign} %s, false)", (comparison.value,))
    start = window.start(at)
    if op == "more_than_ago":
        return Sql(f"coalesce({expression} <= %s, false)", (start,))
    # (start, at] as one test, so that the expression stands only once.
    return Sql(f"coalesce({expression} <@ tstzrange(%s, %s, '(]'), false)", (start, at))
