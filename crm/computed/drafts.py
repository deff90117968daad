"""A definition as staff fill it in: flat texts to JSON and back. Pure.

What is empty is left out; the definition's reader says what is missing. Filters and
tiers stand one a line: `plan equals pro`, `1000 gold`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from crm.facts.comparisons import PLAIN, PRESENCE
from crm.ports.facts import RuleError

FIELDS: Final = (
    "kind",
    "measure",
    "events",
    "property",
    "lines",
    "catalog",
    "catalog_field",
    "amount",
    "unit",
    "where",
    "trait",
    "tiers",
)
# Where in the JSON a field's value stands, for the faults that its reader finds; the
# longer ones first.
PLACES: Final = (
    ("lookup.catalog", "catalog"),
    ("lookup.field", "catalog_field"),
    ("lookup", "catalog"),
    ("within", "amount"),
    ("where", "where"),
    ("tiers", "tiers"),
    ("property", "property"),
    ("lines", "lines"),
    ("measure", "measure"),
    ("names", "events"),
    ("name", "events"),
    ("trait", "trait"),
    ("kind", "kind"),
)


def write_spec(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a filled-in form, or RuleError for a line that is none."""
    if draft.get("kind") != "tier":
        return {"kind": draft.get("kind", ""), **_write_aggregate(draft)}
    trait = draft.get("trait")
    of = {"trait": trait} if trait else _write_aggregate(draft)
    tiers = [_read_tier(*line) for line in _list_lines(draft, "tiers")]
    return {"kind": "tier", "of": of, "tiers": tiers}


def _write_aggregate(draft: Mapping[str, Any]) -> dict[str, Any]:
    names = [text for text, _ in _list_lines(draft, "events")]
    spec: dict[str, Any] = {"measure": draft.get("measure", "")}
    spec |= {"name": names[0]} if len(names) == 1 else {"names": names}
    spec |= {key: draft[key] for key in ("property", "lines") if draft.get(key)}
    if draft.get("catalog"):
        field = draft.get("catalog_field") or None
        spec["lookup"] = {"catalog": draft["catalog"], "field": field}
    if draft.get("amount") is not None:
        spec["within"] = {"amount": draft["amount"], "unit": draft.get("unit")}
    if where := [_read_filter_line(*line) for line in _list_lines(draft, "where")]:
        spec["where"] = where
    return spec


def _list_lines(draft: Mapping[str, Any], key: str) -> Iterable[tuple[str, str]]:
    """The lines that are not empty, each with its path."""
    lines = str(draft.get(key) or "").splitlines()
    filled = [line.strip() for line in lines if line.strip()]
    return [(line, f"spec.{key}[{n}]") for n, line in enumerate(filled)]


def _read_filter_line(line: str, path: str) -> dict[str, Any]:
    for op in sorted(PLAIN, key=len, reverse=True):
        name, found, value = f"{line} ".partition(f" {op} ")
        if found and name.strip():
            node = {"property": name.strip(), "op": op}
            has_value = op not in PRESENCE
            return node | ({"value": _read_value(value.strip())} if has_value else {})
    words = f"must be “property operator value”, the operator one of {', '.join(PLAIN)}"
    raise RuleError(path, "line", words)


def _read_value(text: str) -> Any:
    """JSON where it reads so, else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _read_tier(line: str, path: str) -> dict[str, Any]:
    least, _, value = line.partition(" ")
    number = _read_value(least.replace(",", ""))
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise RuleError(path, "line", "must be a number and a name, as in “1000 gold”")
    return {"at_least": number, "value": value.strip()}


def read_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The texts that give this JSON."""
    of = spec.get("of") or spec
    lookup, within = of.get("lookup") or {}, of.get("within") or {}
    names = of.get("names") or [of.get("name", "")]
    return {
        "kind": spec.get("kind", ""),
        "measure": of.get("measure", ""),
        "events": "\n".join(names),
        "property": of.get("property", ""),
        "lines": of.get("lines", ""),
        "catalog": lookup.get("catalog", ""),
        "catalog_field": lookup.get("field", ""),
        "amount": within.get("amount"),
        "unit": within.get("unit", "days"),
        "where": "\n".join(_show_filter(node) for node in of.get("where", ())),
        "trait": of.get("trait", ""),
        "tiers": "\n".join(
            f"{step['at_least']} {step['value']}" for step in spec.get("tiers", ())
        ),
    }


def _show_filter(node: Mapping[str, Any]) -> str:
    words = f"{node['property']} {node['op']}"
    if "value" not in node:
        return words
    value = node["value"]
    if isinstance(value, str) and _read_value(value) == value:
        return f"{words} {value}"
    return f"{words} {json.dumps(value, ensure_ascii=False)}"


def find_field(path: str) -> str:
    """The field of the form that a path of the JSON came from; '' for the whole."""
    inner = path.removeprefix("spec.").removeprefix("of.")
    for place, field in PLACES:
        if inner == place or inner.startswith((f"{place}.", f"{place}[")):
            return field
    return "events" if inner.startswith("events") else ""
