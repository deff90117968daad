"""Cells that a spreadsheet would run as a formula, written so that it does not. Pure.

After OWASP's rule: a text that begins with = + - @ tab or return gets an apostrophe
before it. A plain number keeps its sign: `-5` stays a number.
"""

from __future__ import annotations

import re
from typing import Any, Final

DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def neutralise(value: Any) -> Any:
    """The value as it may stand in a cell; what is no text is left as it is."""
    if not isinstance(value, str) or not value.startswith(DANGEROUS):
        return value
    return value if NUMBER.fullmatch(value) else f"'{value}"


def restore(text: str) -> str:
    """What was there before `neutralise`, so that our own files can come back."""
    if text[:1] == "'" and text[1:].startswith(DANGEROUS):
        return text[1:]
    return text
