"""One cell: the text of a file → a plain value of its kind, or what is wrong. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from crm.events.limits import MAX_INTEGER, find_text_fault

KINDS: Final = {
    "text": "Text",
    "number": "Number",
    "boolean": "Yes or no",
    "date": "Date",
}
DATE_STYLES: Final = {
    "iso": "2026-03-31 (year first)",
    "day_first": "31/03/2026 (day first)",
    "month_first": "03/31/2026 (month first)",
    "unix": "1774915200 (seconds since 1970)",
}
NUMBER = re.compile(r"[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?")
BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0"), False),
}
PARTS = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(.*)", re.DOTALL)
# 1970 to 2100, as everywhere.
MAX_UNIX: Final = 4_133_980_799


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a row; `column` is the heading, '' where it is all of it."""

    code: str
    message: str
    column: str = ""


class CellRefused(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_cell(text: str, kind: str, *, dates: str = "iso") -> Any:
    """The value of a cell that is not empty, or CellRefused."""
    fault = find_text_fault(text)
    if fault is not None:
        raise CellRefused(fault.code, fault.message)
    return READERS[kind](text, dates)


def read_number(text: str, dates: str = "") -> int | float:
    if not NUMBER.fullmatch(text):
        raise CellRefused("not_a_number", "Not a number such as -1234.5.")
    if text.lstrip("+-").isdecimal():
        whole = int(text)
        if abs(whole) > MAX_INTEGER:
            message = "Whole numbers beyond 2^53 lose digits: map it as text."
            raise CellRefused("integer_too_big", message)
        return whole
    number = float(text)
    if number - number != 0:
        raise CellRefused("number_out_of_range", "The number is out of range.")
    return number


def read_boolean(text: str, dates: str = "") -> bool:
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        message = "Not yes or no, true or false, 1 or 0."
        raise CellRefused("not_a_boolean", message) from None


def read_date(text: str, dates: str) -> str:
    """ISO 8601: a day where the cell tells no time, else a moment in UTC."""
    moment = read_moment(text, dates)
    is_day = dates != "unix" and ":" not in text and "T" not in text
    return moment.date().isoformat() if is_day else moment.isoformat()


def read_moment(text: str, dates: str) -> datetime:
    """A moment in UTC; what tells no zone is UTC, what tells no time is midnight."""
    try:
        moment = _read_unix(text) if dates == "unix" else _read_calendar(text, dates)
    except (ValueError, OverflowError):
        example = DATE_STYLES.get(dates, DATE_STYLES["iso"])
        message = f"Not a date between 1970 and 2100 such as {example}."
        raise CellRefused("invalid_date", message) from None
    return moment


def _read_unix(text: str) -> datetime:
    seconds = float(text)
    if not 0 <= seconds <= MAX_UNIX:
        raise ValueError
    return datetime.fromtimestamp(seconds, UTC)


def _read_calendar(text: str, dates: str) -> datetime:
    if dates != "iso":
        parts = PARTS.fullmatch(text)
        if parts is None:
            raise ValueError
        day, month = (1, 2) if dates == "day_first" else (2, 1)
        whole = date(int(parts[3]), int(parts[month]), int(parts[day]))
        text = f"{whole.isoformat()}{parts[4]}"
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= 2100:
        raise ValueError
    return moment


def _read_text(text: str, dates: str) -> str:
    return text


READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "text": _read_text,
    "number": read_number,
    "boolean": read_boolean,
    "date": read_date,
}


def guess_kind(samples: Sequence[str]) -> str:
    """The kind that every sample is; text where none is told or they differ.

    `0` and `1` are numbers; what begins with a zero or a plus is a code, thus text.
    """
    said = [text for text in samples if text]
    if not said:
        return "text"
    if all(_is_plain_number(text) for text in said):
        return "number"
    if all(text.lower() in BOOLEANS for text in said):
        return "boolean"
    return "date" if all(_is_iso_day(text) for text in said) else "text"


def _is_plain_number(text: str) -> bool:
    digits = text.lstrip("-")
    is_code = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return (
        bool(NUMBER.fullmatch(text))
        and text[0] != "+"
        and not is_code
        and (len(digits) <= 15)
    )


def _is_iso_day(text: str) -> bool:
    try:
        read_moment(text, "iso")
    except CellRefused:
        return False
    return "-" in text
