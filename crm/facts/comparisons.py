"""Comparing one value, in a JSON column or a typed one, with what a rule says.

Missing and wrongly typed values: a comparison with them is false, and
`not_equals` and `not_exists` are the exact opposites of `equals` and `exists`, so
they hold for contacts without the value too. JSON null counts as missing. Text
compares exactly, letter case included. Numbers compare with JSON numbers only,
versions with text only, `has` with lists only. Dates are read from ISO 8601 text or
epoch numbers (seconds, or milliseconds from 1e11 on); text without an offset is UTC,
and a date alone is that day in the contact's zone where a rule speaks of days.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.facts.naming import quote
from crm.facts.patterns import PATTERN_MAX, SUBJECT_MAX, translate_pattern
from crm.facts.periods import ANNIVERSARY_MAX_DAYS, PERIODS, show_anniversary
from crm.facts.reading import Reader, check_moment, check_scalar, check_text
from crm.facts.versions import VERSION, VERSION_KEY, key_version
from crm.facts.window import Window, show_moment
from crm.ports.facts import RuleError, Sql

EQUALITY = ("equals", "not_equals", "in")
TEXTUAL = ("contains", "starts_with", "ends_with", "matches")
LISTED = ("has",)
PRESENCE = ("exists", "not_exists")
NUMERIC = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
VERSIONS = {
    "version_is": "=",
    "version_above": ">",
    "version_at_least": ">=",
    "version_below": "<",
    "version_at_most": "<=",
}
# What speaks of the past too, and what only of days ahead.
DATED = ("before", "after", "within_last", "more_than_ago")
AHEAD = ("in_next",)
ROLLING = ("within_last", "more_than_ago", *AHEAD)
# By the days of a calendar, in the contact's zone.
CALENDAR = ("during", "anniversary")
# Operators of property filters: an event's own time has the rule's window.
PLAIN = (*EQUALITY, *TEXTUAL, *LISTED, *PRESENCE, *NUMERIC, *VERSIONS)
EVERY = (*PLAIN, *DATED, *AHEAD, *CALENDAR)
# Up to this many values, OR of @> lets the GIN index answer.
IN_BY_INDEX_MAX = 20

WORDS = {
    "equals": "is",
    "not_equals": "is not",
    "in": "is one of",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
    "matches": "matches the pattern",
    "has": "is a list with",
    "exists": "is known",
    "not_exists": "is not known",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "version_is": "is version",
    "version_above": "is a version above",
    "version_at_least": "is at least version",
    "version_below": "is a version below",
    "version_at_most": "is at most version",
    "before": "is before",
    "after": "is after",
    "within_last": "is within the last",
    "more_than_ago": "is longer ago than",
    "in_next": "is within the next",
    "during": "is",
    "anniversary": "has its anniversary",
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
        if self.op == "during":
            return f"is {PERIODS[self.value].words}"
        if self.op == "anniversary":
            return f"has its anniversary {show_anniversary(self.value)}"
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
    return Comparison(op, _read_value(reader, op))


def _read_value(reader: Reader, op: str) -> Any:
    if op in ROLLING:
        return reader.window("value")
    if op == "during":
        return reader.choice("value", PERIODS)
    if op == "anniversary":
        return reader.whole("value", least=0, most=ANNIVERSARY_MAX_DAYS)
    if op in NUMERIC:
        return reader.number("value")
    value, path = reader.need("value"), reader.at("value")
    if op in ("before", "after"):
        return check_moment(value, path)
    if op == "in":
        entries = tuple(check_scalar(one, at) for one, at in reader.items("value"))
        if not entries:
            raise RuleError(path, "required", "must list at least one value")
        return entries
    if op in EQUALITY or op in LISTED:
        return check_scalar(value, path)
    if op == "matches":
        translate_pattern(check_text(value, path, limit=PATTERN_MAX), path)
    elif op in VERSIONS and key_version(check_text(value, path)) is None:
        raise RuleError(path, "version", "must be a version such as 2.10.1")
    return check_text(value, path)


def show_value(value: Any) -> str:
    """A value as staff read it."""
    if isinstance(value, tuple):
        return ", ".join(show_value(one) for one in value)
    if isinstance(value, datetime):
        return show_moment(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:,}"
    return quote(value) if isinstance(value, str) else str(value)


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
    if op in TEXTUAL or op in VERSIONS:
        return _compare_json_text(column, key, comparison)
    if op in LISTED:
        # No text or number contains a list, so this asks for the type as well.
        return Sql(f"{column} @> %s::jsonb", (json.dumps({key: [value]}),))
    moment = read_json_moment(column, key)
    test = compare_moment(moment.text, comparison, at)
    return Sql(test.text, (*moment.params, *test.params))


def _compare_json_text(column: str, key: str, comparison: Comparison) -> Sql:
    text = f"CASE WHEN jsonb_typeof({column} -> %s) = 'string' THEN {column} ->> %s END"
    test = match_text(f"({text})", (key, key), comparison)
    if comparison.op != "contains":
        return test
    # A list contains an entry; a text contains a part.
    document = json.dumps({key: [comparison.value]})
    return Sql(f"({column} @> %s::jsonb OR {test.text})", (document, *test.params))


def match_text(text: str, params: tuple[Any, ...], comparison: Comparison) -> Sql:
    """A condition on a text expression that may be NULL; never NULL itself."""
    op, value = comparison.op, comparison.value
    if op in VERSIONS:
        # Patterns have no place in the template: its braces are theirs.
        key = VERSION_KEY.replace("{text}", text)
        return Sql(
            f'coalesce({key} COLLATE "C" {VERSIONS[op]} %s::text[], false)',
            (*params, VERSION, key_version(value)),
        )
    if op == "ends_with":
        test, more = f"right({text}, %s) = %s", (len(value), value)
        return Sql(f"coalesce({test}, false)", (*params, *more))
    if op == "matches":
        return Sql(
            f'coalesce(left({text}, %s) COLLATE "C" ~ %s AND length({text}) <= %s, '
            "false)",
            (
                *(*params, SUBJECT_MAX, translate_pattern(value, "value")),
                *(*params, SUBJECT_MAX),
            ),
        )
    forms = {"contains": "strpos({}, %s) > 0", "starts_with": "starts_with({}, %s)"}
    return Sql(f"coalesce({forms[op].format(text)}, false)", (*params, value))


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
    if op == "equals":
        return Sql(f"coalesce({column} = %s, false)", (value,))
    if op == "not_equals":
        return Sql(f"{known} <> %s", (value,))
    return match_text(column, (), comparison)


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
    if op == "in_next":
        start, at = at, at + window.span
    # (start, at] as one test, so that the expression stands only once.
    return Sql(f"coalesce({expression} <@ tstzrange(%s, %s, '(]'), false)", (start, at))
