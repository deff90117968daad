"""Money in an event's properties: one value and its currency, or none. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

# The first of these that is a number is the event's value.
VALUE_KEYS = ("revenue", "total", "value", "price")
NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,20})?")
# numeric(20, 4): sixteen digits before the point.
MAX_VALUE = 10**15


def read_value(
    properties: Mapping[str, Any], keys: Sequence[str] = VALUE_KEYS
) -> str | None:
    """The value as decimal text; numbers and numeric text count."""
    for key in keys:
        found = properties.get(key)
        if found is None:
            continue
        kind = type(found)
        if (kind is int or kind is float) and -MAX_VALUE < found < MAX_VALUE:
            text = repr(found)
            return str(Decimal(text)) if "e" in text else text
        if kind is str and NUMBER.fullmatch(found.strip()):
            return str(found.strip())
    return None


def read_currency(code: Any) -> str:
    """Three letters in capitals, '' where it is no currency."""
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isalpha():
        return code.upper()
    return ""
