"""A refused call as staff may see it: its shape, without what it says of anybody. Pure.

Nobody's name stands on a refused call, so nobody could have it erased: letters and
digits are masked. Kept are the names of fields, what kind of call it was, the name of
the event, and times.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

# Longer samples are cut; what stands deeper or further back is left out.
MAX_SAMPLE = 500
MAX_TEXT = 60
MAX_MEMBERS = 12
MAX_DEPTH = 4
MAX_PATH = 120
# Plain where they stand: the vocabulary of calls.
PLAIN_FIELDS = frozenset({"type", "event", "action"})
TIME_FIELDS = frozenset({"timestamp", "originalTimestamp", "sentAt"})
TIME = re.compile(r"[\dTtZz:+\-., /]{1,40}")
LETTER = re.compile(r"[^\W\d_]")
DIGIT = re.compile(r"\d")
INDEX = re.compile(r"\[\d+\]")


def shape_path(path: str) -> str:
    """The place without the number of the row: one reason, however many rows."""
    return cut_text(mask_key(INDEX.sub("[]", path)), MAX_PATH)


def find_call(body: bytes, index: int) -> Any:
    """The refused call of a body: its place in the batch, or the whole of it.

    None where the body is no JSON; a broken one is shown by its reason alone.
    """
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    batch = whole.get("batch") if isinstance(whole, dict) else whole
    if not isinstance(batch, list):
        return whole
    return batch[index] if index < len(batch) else None


def write_sample(call: Any) -> str:
    """The masked call as one line of JSON; '' where there is none."""
    if call is None:
        return ""
    return cut_text(json.dumps(mask(call), ensure_ascii=False), MAX_SAMPLE)


def mask(value: Any, field: str = "", depth: int = 0) -> Any:
    if isinstance(value, str):
        return mask_text(value, field)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return DIGIT.sub("0", str(value))
    if depth == MAX_DEPTH:
        return "…"
    if isinstance(value, list):
        return [mask(one, field, depth + 1) for one in value[:3]]
    members = list(value.items())[:MAX_MEMBERS]
    return {mask_key(key): mask(one, key, depth + 1) for key, one in members}


def mask_text(text: str, field: str) -> str:
    if field in TIME_FIELDS and TIME.fullmatch(text):
        return text
    short = cut_text(text, MAX_TEXT)
    if field in PLAIN_FIELDS and "@" not in short:
        return short
    return mask_letters(short)


def mask_letters(text: str) -> str:
    return DIGIT.sub("0", LETTER.sub("x", text))


def mask_key(key: str) -> str:
    """A key that holds an address or a long number was meant to be a value."""
    said = "@" in key or re.search(r"\d{5}", key)
    return cut_text(mask_letters(key) if said else key, MAX_PATH)


def cut_text(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
