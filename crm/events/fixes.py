"""Fixes of data as ingest obeys them: rename, ignore, coerce, block. Pure.

In this order, once each: an event that is blocked by the name it came by is refused,
then it is renamed, then its properties are fixed by the name it has now. There are no
chains, so there is no loop. What cannot be made into the wanted type stays as it is,
and stays visible as a property of two types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from crm.events.commerce import ORIGINAL_NAME
from crm.events.envelope import Rejection
from crm.events.schema import Item

NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")
YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
BLOCKED = "This workspace does not take this event (see its data fixes)."


@dataclass(frozen=True, slots=True)
class Fixes:
    """All that stand, by the name of the event they are for."""

    blocked: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    # name → property → type, None where it is left out.
    properties: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.blocked or self.renamed or self.properties)


# Kind, name, property and target of one fix.
Row = tuple[str, str, str, str]


def build_fixes(rows: Iterable[Row]) -> Fixes:
    """Later rows win; what is left out is not coerced."""
    blocked: set[str] = set()
    renamed: dict[str, str] = {}
    properties: dict[str, dict[str, str | None]] = {}
    for kind, name, key, target in rows:
        if kind == "block":
            blocked.add(name)
        elif kind == "rename":
            renamed[name] = target
        elif kind == "ignore":
            properties.setdefault(name, {})[key] = None
        elif kind == "coerce":
            properties.setdefault(name, {}).setdefault(key, target)
    return Fixes(frozenset(blocked), renamed, properties)


def apply_fixes(
    items: Sequence[Item], fixes: Fixes
) -> tuple[Sequence[Item], list[Rejection]]:
    """The calls as they are taken in, and those that are refused."""
    if not fixes:
        return items, []
    kept: list[Item] = []
    refused: list[Rejection] = []
    for item in items:
        if item.name in fixes.blocked:
            refused.append(Rejection(item.index, "event", "event_blocked", BLOCKED))
        else:
            kept.append(fix_item(item, fixes))
    return kept, refused


def fix_item(item: Item, fixes: Fixes) -> Item:
    name = fixes.renamed.get(item.name, item.name)
    properties = fix_properties(item.properties, fixes.properties.get(name, {}))
    if name != item.name:
        properties = {ORIGINAL_NAME: item.name, **properties}
    if properties is item.properties:
        return item
    return msgspec.structs.replace(item, name=name, properties=properties)


def fix_properties(
    properties: dict[str, Any], wanted: Mapping[str, str | None]
) -> dict[str, Any]:
    """The same object where nothing is to be done."""
    if wanted.keys().isdisjoint(properties):
        return properties
    fixed: dict[str, Any] = {}
    for key, value in properties.items():
        if key not in wanted:
            fixed[key] = value
        elif (kind := wanted[key]) is not None:
            fixed[key] = coerce(value, kind)
    return fixed


def coerce(value: Any, kind: str) -> Any:
    """The value as this type, or the value itself where it cannot be one."""
    if value is None:
        return None
    if kind == "list":
        return value if isinstance(value, list) else [value]
    if isinstance(value, list | dict):
        return value
    if kind == "number":
        return to_number(value)
    if kind == "yes_no":
        return value if isinstance(value, bool) else to_yes_no(value)
    return to_text(value)


def to_number(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        said = value.strip()
        return float(said) if "." in said else int(said)
    return value


def to_yes_no(value: Any) -> Any:
    return YES_NO.get(str(value).strip().lower(), value)


def to_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
