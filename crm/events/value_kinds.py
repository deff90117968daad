"""Kinds of values in properties, as JSON parses them. Pure."""

from __future__ import annotations

from typing import Final

# As `PropertyKind.Kind`; null says nothing of a kind.
KINDS: Final[dict[type, str]] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "yes_no",
    list: "list",
    dict: "object",
}
