"""Reading one node of a rule: each value checked, each fault with its path."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crm.facts.window import UNIT_SECONDS, WINDOW_MAX_S, Window
from crm.ports.facts import RuleError

# Longest text in a rule; names of events and traits are at most NAME_MAX.
TEXT_MAX = 1_000
NAME_MAX = 200
LIST_MAX = 500
# Beyond this, JSON numbers lose exactness on the way through browsers.
NUMBER_MAX = 2**53


def check_text(value: Any, path: str, *, limit: int = TEXT_MAX) -> str:
    """`value` if it is text that PostgreSQL can hold."""
    if not isinstance(value, str):
        raise RuleError(path, "type", "must be text")
    if len(value) > limit:
        raise RuleError(path, "too_long", f"must have at most {limit} characters")
    if "\0" in value:
        raise RuleError(path, "nul", "must not hold the NUL character")
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise RuleError(path, "surrogate", "must be valid Unicode")
    return value


def check_number(value: Any, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleError(path, "type", "must be a number")
    if not math.isfinite(value) or abs(value) > NUMBER_MAX:
        raise RuleError(path, "range", "must be a number within ±2^53")
    return value


def check_scalar(value: Any, path: str) -> str | int | float | bool:
    """Text, number, true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text(value, path)
    if isinstance(value, int | float):
        return check_number(value, path)
    raise RuleError(path, "type", "must be text, a number, true or false")


def check_moment(value: Any, path: str) -> datetime:
    """A moment in ISO 8601; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(check_text(value, path))
    except ValueError as error:
        if isinstance(error, RuleError):
            raise
        raise RuleError(
            path, "date", "must be a date such as 2026-05-01 or 2026-05-01T10:00Z"
        ) from error
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise RuleError(path, "date", "must be a year from 1 to 9999") from error


@dataclass(frozen=True, slots=True)
class Reader:
    """One JSON object of a rule and where it stands."""

    node: Mapping[str, Any]
    path: str

    @classmethod
    def over(cls, value: Any, path: str) -> Reader:
        if not isinstance(value, Mapping):
            raise RuleError(path, "type", "must be an object")
        return cls(value, path)

    def at(self, key: str) -> str:
        return f"{self.path}.{key}"

    def allow(self, *keys: str) -> None:
        """Refuse what nobody would read: a misspelt key must not be ignored."""
        for key in self.node:
            if key not in keys:
                shown = repr(key)[:60]
                raise RuleError(
                    self.path,
                    "unknown_key",
                    f"has no {shown}; it may have {', '.join(keys)}",
                )

    def has(self, key: str) -> bool:
        return self.node.get(key) is not None

    def need(self, key: str) -> Any:
        if not self.has(key):
            raise RuleError(self.at(key), "required", "is missing")
        return self.node[key]

    def name(self, key: str) -> str:
        """A name of something: not empty, at most NAME_MAX characters."""
        value = check_text(self.need(key), self.at(key), limit=NAME_MAX)
        if not value.strip():
            raise RuleError(self.at(key), "required", "must not be empty")
        return value

    def choice(self, key: str, choices: Iterable[str]) -> str:
        value = self.need(key)
        known = tuple(choices)
        if not isinstance(value, str) or value not in known:
            raise RuleError(
                self.at(key), "choice", f"must be one of {', '.join(known)}"
            )
        return value

    def number(self, key: str) -> int | float:
        return check_number(self.need(key), self.at(key))

    def whole(self, key: str, *, least: int, most: int) -> int:
        value = self.need(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise RuleError(self.at(key), "type", "must be a whole number")
        if not least <= value <= most:
            raise RuleError(
                self.at(key), "range", f"must be from {least:,} to {most:,}"
            )
        return value

    def flag(self, key: str) -> bool:
        value = self.node.get(key, False)
        if not isinstance(value, bool):
            raise RuleError(self.at(key), "type", "must be true or false")
        return value

    def items(self, key: str) -> list[tuple[Any, str]]:
        """The entries of a list, each with its path; no list reads as empty."""
        value = self.node.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise RuleError(self.at(key), "type", "must be a list")
        if len(value) > LIST_MAX:
            raise RuleError(
                self.at(key), "too_long", f"must have at most {LIST_MAX} entries"
            )
        return [(item, f"{self.at(key)}[{n}]") for n, item in enumerate(value)]

    def window(self, key: str) -> Window:
        inner = Reader.over(self.need(key), self.at(key))
        inner.allow("amount", "unit")
        unit = inner.choice("unit", UNIT_SECONDS)
        most = WINDOW_MAX_S // UNIT_SECONDS[unit]
        return Window(inner.whole("amount", least=1, most=most), unit)
