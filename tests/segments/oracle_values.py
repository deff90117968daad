"""How the oracle reads times and compares values. It shares no code."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
MISSING = object()
ISO = re.compile(
    r"^([1-9]\d{3})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d{1,6})?\d*)?\s?(?:Z|([+-])(\d\d):?(\d\d))?)?$",
    re.ASCII,
)


def span(window: dict[str, Any]) -> timedelta:
    return timedelta(seconds=window["amount"] * UNITS[window["unit"]])


def read_time(value: Any) -> datetime | None:
    if isinstance(value, bool) or value is MISSING or value is None:
        return None
    if isinstance(value, int | float):
        if not 0 <= value <= 253402300799000:
            return None
        return datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC)
    found = ISO.match(value) if isinstance(value, str) else None
    if not found:
        return None
    year, month, day, hour, minute, second = (int(g or 0) for g in found.groups()[:6])
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    micro = int(((found[7] or ".0")[1:] + "000000")[:6])
    offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    return moment - offset if found[8] != "-" else moment + offset


def same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def split_version(text: str) -> list[Any] | None:
    """Core numbers, then a pre-release as (is a word, number or word) pairs."""
    text = text.removeprefix("v").partition("+")[0]
    core, dash, before = text.partition("-")
    numbers = core.split(".")
    if len(numbers) > 4 or not all(re.fullmatch("[0-9]{1,9}", n) for n in numbers):
        return None
    key: list[Any] = [int(n) for n in numbers] + [0] * (4 - len(numbers))
    if not dash:
        return [*key, (2, 0, "")]
    parts = before.split(".")
    if not all(re.fullmatch("[0-9A-Za-z-]+", part) for part in parts):
        return None
    return key + [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts
    ]


def first_of(day: date, unit: str, ahead: int) -> date:
    """The first day of the unit that is so many units from the day's own."""
    if unit == "day":
        return day + timedelta(days=ahead)
    if unit == "week":
        return day - timedelta(days=day.weekday()) + timedelta(weeks=ahead)
    size = {"month": 1, "quarter": 3, "year": 12}[unit]
    months = (day.year * 12 + day.month - 1) // size * size + ahead * size
    return date(months // 12, months % 12 + 1, 1)


def on_days(value: Any, op: str, wanted: Any, at: datetime, zone: str) -> bool:
    where = ZoneInfo(zone or "UTC")
    today = at.astimezone(where).date()
    moment = value if isinstance(value, datetime) else read_time(value)
    if moment is None:
        return False
    alone = isinstance(value, str) and len(value) == 10
    day = moment.date() if alone else moment.astimezone(where).date()
    if op == "during":
        word, _, unit = wanted.rpartition("_")
        ahead = {"this": 0, "last": -1, "next": 1}.get(word, 0)
        if not word:
            ahead = {"today": 0, "yesterday": -1, "tomorrow": 1}[unit]
            unit = "day"
        start = first_of(today, unit, ahead)
        return start <= day < first_of(start, unit, 1)
    return any(
        ahead.year > day.year
        and (ahead.month, ahead.day)
        == (day.month, min(day.day, monthrange(ahead.year, day.month)[1]))
        for ahead in (today + timedelta(days=n) for n in range(wanted + 1))
    )


def compare(  # noqa: C901, PLR0911, PLR0912
    value: Any, op: str, wanted: Any, at: datetime, zone: str = ""
) -> bool:
    known = value is not MISSING and value is not None
    if op in ("exists", "not_exists"):
        return known == (op == "exists")
    if op == "equals":
        return known and same(value, wanted)
    if op == "not_equals":
        return not (known and same(value, wanted))
    if op == "in":
        return known and any(same(value, one) for one in wanted)
    if op == "contains":
        if isinstance(value, list):
            return any(same(one, wanted) for one in value)
        return isinstance(value, str) and wanted in value
    if op == "starts_with":
        return isinstance(value, str) and value.startswith(wanted)
    if op == "ends_with":
        return isinstance(value, str) and value.endswith(wanted)
    if op == "matches":
        return (
            isinstance(value, str)
            and len(value) <= 1_000
            and bool(re.search(wanted.replace("$", r"\Z"), value, re.ASCII | re.DOTALL))
        )
    if op == "has":
        return isinstance(value, list) and any(same(one, wanted) for one in value)
    if op.startswith("version_"):
        left = split_version(value) if isinstance(value, str) else None
        right = split_version(wanted)
        return (
            left is not None
            and right is not None
            and {
                "is": left == right,
                "above": left > right,
                "at_least": left >= right,
                "below": left < right,
                "at_most": left <= right,
            }[op.removeprefix("version_")]
        )
    if op in ("during", "anniversary"):
        return known and on_days(value, op, wanted, at, zone)
    if op in ("gt", "gte", "lt", "lte"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return {
            "gt": value > wanted,
            "gte": value >= wanted,
            "lt": value < wanted,
            "lte": value <= wanted,
        }[op]
    moment = value if isinstance(value, datetime) else read_time(value)
    if moment is None:
        return False
    if op == "before":
        return moment < datetime.fromisoformat(wanted)
    if op == "after":
        return moment > datetime.fromisoformat(wanted)
    if op == "within_last":
        return at - span(wanted) < moment <= at
    if op == "in_next":
        return at < moment <= at + span(wanted)
    return moment <= at - span(wanted)
