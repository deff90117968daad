"""What the text in a field means, and the text that a value is shown as.

Each reader undoes its writer: what is shown and posted again is what it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from crm.facts.comparisons import VERSIONS

WINDOW = re.compile(r"^\s*(\d{1,9})\s*(seconds?|minutes?|hours?|days?)?\s*$")
WINDOWED = ("within_last", "more_than_ago", "in_next")
PRESENCE = ("exists", "not_exists")
TEXTUAL = (
    *("contains", "starts_with", "ends_with", "matches", "before", "after", "during"),
    *VERSIONS,
)
# Steps, a step, its filters, a filter, its value, a window in it; and some more, so
# that what is wrong is told by the rule.
STEPS_DEPTH_MAX = 10
# One entry of a list, in quotes or not, and the comma behind it.
ENTRY = re.compile(r'\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)|([^,]*)(?:,|$)')


def read_number(text: str) -> Any:
    """A number where it reads so; else the text, for the rule to refuse."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "." not in text else number


def split_entries(text: str) -> list[tuple[str, bool]]:
    """The entries between commas, each with whether it was quoted as in JSON."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(text) and (entry := ENTRY.match(text, at)):
        at = entry.end()
        try:
            found.append((json.loads(entry[1] or ""), True))
        except ValueError:
            found.append(((entry[1] or entry[2]).strip(), False))
    return [one for one in found if one != ("", False)]


def quote_entry(text: str) -> str:
    """The text as an entry of a list: in quotes where it would be read otherwise."""
    is_plain = split_entries(text) == [(text, False)] and not text.startswith('"')
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def read_names(text: str) -> str | list[str] | None:
    """One name as it is, several as a list; None where there is none."""
    names = [name for name, _ in split_entries(text)]
    return names[0] if len(names) == 1 else names or None


def show_names(value: Any) -> str:
    """The text of a field for names: `read_names` reads it back."""
    names = value if isinstance(value, list) else [value] if value else []
    return ", ".join(quote_entry(str(name)) for name in names)


def is_deeper(value: Any, levels: int) -> bool:
    """Whether more lists and objects stand in each other than that."""
    if not isinstance(value, list | dict):
        return False
    inside = value if isinstance(value, list) else value.values()
    return levels < 1 or any(is_deeper(one, levels - 1) for one in inside)


def read_steps(text: str, control: str) -> Any:
    """Names of events with > between them, or JSON where steps have filters."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            steps = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return text if is_deeper(steps, STEPS_DEPTH_MAX) else steps
    names = [name.strip() for name in text.split(">")] if control == "steps" else [text]
    steps = [{"name": name} for name in names if name]
    return steps if control == "steps" else (steps or [{}])[0]


def show_steps(value: Any) -> str:
    """The text of a field for steps: `read_steps` reads it back as it was."""
    if isinstance(value, str):
        return value
    steps = value if isinstance(value, list) else [value]
    names = [str(one.get("name")) for one in steps if isinstance(one, Mapping)]
    plain = all(isinstance(one, Mapping) and len(one) < 2 for one in steps) and all(
        isinstance(name, str) and not re.search(r">|^\s|\s$|^[\[{]", name)
        for name in names
    )
    if not any(steps):
        return ""
    return " > ".join(names) if plain else json.dumps(value, ensure_ascii=False)


def type_value(op: Any, text: str) -> Any:
    """What the text in a value field means under this operator."""
    if op in PRESENCE:
        return None
    if op in WINDOWED:
        found = WINDOW.match(text)
        if not found:
            return text
        unit = (found[2] or "days").rstrip("s") + "s"
        return {"amount": int(found[1]), "unit": unit}
    if op in TEXTUAL:
        return text
    if op == "in":
        entries = split_entries(text)
        return [part if quoted else _type_scalar(part) for part, quoted in entries]
    return _type_scalar(text)


def _type_scalar(text: str) -> Any:
    """Numbers, true, false and "quoted text" as in JSON; all else is text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | int | float) else text


def show_value(op: Any, value: Any) -> str:
    """The text of a value field: `type_value` reads it back as it was."""
    if isinstance(value, Mapping):
        return f"{value.get('amount', '')} {value.get('unit', '')}".strip()
    if isinstance(value, list):
        return ", ".join(_show_entry(one) for one in value)
    return str(value) if op in TEXTUAL else _show_scalar(value)


def _show_scalar(value: Any) -> str:
    if isinstance(value, str):
        quoted = _type_scalar(value) != value
        return json.dumps(value, ensure_ascii=False) if quoted else value
    return json.dumps(value)


def _show_entry(value: Any) -> str:
    shown = _show_scalar(value)
    return quote_entry(shown) if shown == value else shown
