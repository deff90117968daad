"""How names and texts are written in a description, so that it reads back. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

SIMPLE = re.compile(r"[\w$.:-]+")


def quote(text: str) -> str:
    """In “ ”; a ” in the text stands twice."""
    return f"“{text.replace('”', '””')}”"


def show_name(name: str, reserved: Collection[str] = ()) -> str:
    """A name as it is, or in quotes where it is not one word or has another sense."""
    is_plain = SIMPLE.fullmatch(name) and name not in reserved
    return name if is_plain else quote(name)
