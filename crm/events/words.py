"""What came with an event, as a person reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Nothing longer is read by anybody; what is deeper is left out.
MAX_WORDS = 200
MAX_DEPTH = 3


def describe_properties(properties: Mapping[str, Any]) -> str:
    """`total: 89, products: (code: SW-901, quantity: 1)`, cut to MAX_WORDS."""
    text = _describe_members(properties, depth=0)
    return text if len(text) <= MAX_WORDS else f"{text[:MAX_WORDS]}…"


def _describe_members(properties: Mapping[str, Any], *, depth: int) -> str:
    members = list(properties.items())[:MAX_WORDS]
    return ", ".join(f"{key}: {_describe(value, depth)}" for key, value in members)


def _describe(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value[:MAX_WORDS]
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if not isinstance(value, Mapping | list):
        return str(value)
    if depth == MAX_DEPTH or not value:
        return "…" if value else "none"
    if isinstance(value, Mapping):
        return f"({_describe_members(value, depth=depth + 1)})"
    return ", ".join(_describe(one, depth + 1) for one in value[:MAX_WORDS])
