"""What a planned event should carry, and how an event falls short of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.events.value_kinds import KINDS

TYPES = tuple(dict.fromkeys(KINDS.values()))
MAX_PROPERTIES = 200
MAX_NAME = 200

MISSING, TYPE, UNKNOWN = "missing", "type", "unknown"


@dataclass(frozen=True, slots=True)
class Expected:
    """One property of a planned event."""

    name: str
    type: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """`said` is the type that came, `wanted` the planned one where they differ."""

    kind: str
    property: str
    said: str = ""
    wanted: str = ""


class PlanRefused(ValueError):
    """The lines are no plan; the text says which and why."""


def read_lines(text: str) -> list[Expected]:
    """`name type`, and `required` behind it, a property a line; raises PlanRefused.

    Read from the end, so that a name may hold spaces.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [_read_line(line) for line in lines]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise PlanRefused(f"{name[:60]} stands there twice.")
        if len(name) > MAX_NAME:
            raise PlanRefused(f"{name[:60]}…: longer than {MAX_NAME} characters.")
    if len(found) > MAX_PROPERTIES:
        raise PlanRefused(f"More than {MAX_PROPERTIES} properties.")
    return found


def _read_line(line: str) -> Expected:
    words = line.split()
    required = words[-1] == "required" and len(words) > 2
    if required:
        words.pop()
    if len(words) < 2 or words[-1] not in TYPES:
        types = ", ".join(TYPES)
        raise PlanRefused(f"“{line[:60]}”: a name, then one of {types}.")
    return Expected(" ".join(words[:-1]), words[-1], required)


def write_lines(properties: Iterable[Mapping[str, Any]]) -> str:
    """The stored properties as `read_lines` takes them."""
    words = (
        (one["name"], one["type"], "required" if one.get("required") else "")
        for one in properties
    )
    return "\n".join(" ".join(filter(None, line)) for line in words)


def find_violations(
    properties: Mapping[str, Any], expected: Sequence[Expected]
) -> Iterator[Violation]:
    """Null counts as nothing said. Without expectations nothing is unknown."""
    said = {key: value for key, value in properties.items() if value is not None}
    for one in expected:
        if one.name not in said:
            if one.required:
                yield Violation(MISSING, one.name)
            continue
        kind = KINDS.get(type(said[one.name]), "")
        if kind != one.type:
            yield Violation(TYPE, one.name, kind, one.type)
    known = {one.name for one in expected}
    if known:
        for key in said.keys() - known:
            yield Violation(UNKNOWN, key, KINDS.get(type(said[key]), ""))
