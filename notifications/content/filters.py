"""The filters a template may use, each held to the limits of one message.

Work and growth are counted before a filter runs, because `replace` and `join` can ask
for gigabytes in one call, and its result is checked after.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from dateutil import parser as date_parser
from liquid import Environment
from liquid.exceptions import LiquidError, UndefinedError

from notifications.content.dialect import (
    MAX_ITEMS,
    MAX_NUMBER,
    MAX_VALUE_BYTES,
    LimitError,
    MessageContext,
    MissingValue,
    RefusedError,
    print_value,
)

# python-liquid's own, by name. Left out: `safe` and `escapejs` (no HTML here), and
# decoding of base64, which hides a text from every check made at save.
ALLOWED_FILTERS = frozenset(
    {
        "abs",
        "append",
        "at_least",
        "at_most",
        "base64_encode",
        "base64_url_safe_encode",
        "capitalize",
        "ceil",
        "compact",
        "concat",
        "date",
        "default",
        "divided_by",
        "downcase",
        "escape",
        "escape_once",
        "find",
        "find_index",
        "first",
        "floor",
        "has",
        "join",
        "last",
        "lstrip",
        "map",
        "minus",
        "modulo",
        "newline_to_br",
        "plus",
        "prepend",
        "reject",
        "remove",
        "remove_first",
        "remove_last",
        "replace",
        "replace_first",
        "replace_last",
        "reverse",
        "round",
        "rstrip",
        "size",
        "slice",
        "sort",
        "sort_natural",
        "split",
        "squish",
        "strip",
        "strip_html",
        "strip_newlines",
        "sum",
        "times",
        "truncate",
        "truncatewords",
        "uniq",
        "upcase",
        "url_decode",
        "url_encode",
        "where",
    }
)

# Filters of text: what is not text becomes it as it would be printed, and objects,
# which the library would print as Python does, are refused.
_TEXT_FILTERS = frozenset(
    {
        "append",
        "base64_encode",
        "base64_url_safe_encode",
        "capitalize",
        "downcase",
        "escape",
        "escape_once",
        "lstrip",
        "newline_to_br",
        "prepend",
        "remove",
        "remove_first",
        "remove_last",
        "replace",
        "replace_first",
        "replace_last",
        "rstrip",
        "split",
        "squish",
        "strip",
        "strip_html",
        "strip_newlines",
        "truncate",
        "truncatewords",
        "upcase",
        "url_decode",
        "url_encode",
    }
)

# Filters that take an object as it is.
_OBJECT_FILTERS = frozenset(
    {
        "compact",
        "concat",
        "default",
        "find",
        "find_index",
        "has",
        "map",
        "reject",
        "size",
        "sort",
        "sort_natural",
        "sum",
        "uniq",
        "where",
    }
)

# Filters that compare every item with every other.
_QUADRATIC = frozenset({"uniq"})

_ALL_REPLACING = frozenset({"replace", "remove"})

# What third-party code raises on values it did not expect.
FILTER_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

MAX_DATE_CHARS = 64  # of a date as text, and of a date format

_TAGS = re.compile(r"<[^<>]*>")
# strftime pads to any width it is told: %999999d.
_DATE_WIDTH = re.compile(r"%[-_0^#]*\d")


def guard_filters(env: Environment) -> None:
    """Replace the library's filters by the allowed ones, guarded."""
    found = {name: env.filters[name] for name in ALLOWED_FILTERS}
    own: dict[str, Callable[..., object]] = {
        "date": format_date,
        "join": join_items,
        "strip_html": strip_tags,
    }
    env.filters.clear()
    for name, function in (found | own).items():
        env.add_filter(name, _guard_filter(name, function, env))


def _guard_filter(
    name: str, function: Callable[..., object], env: Environment
) -> Callable[..., object]:
    extra: dict[str, Any] = {}
    if getattr(function, "with_environment", False):
        extra["environment"] = env
    wants_context = getattr(function, "with_context", False)

    # Positional-only, so that a template cannot pass a `context` of its own.
    def apply_filter(
        context: MessageContext, value: object, /, *args: object, **kwargs: object
    ) -> object:
        value, args = _prepare_values(name, context, value, args)
        inner = (context, *args) if wants_context else args
        try:
            result = function(value, *inner, **extra, **kwargs)
        except (RefusedError, UndefinedError):
            raise
        # The library's own words quote the value, which is somebody's trait.
        except (LiquidError, *FILTER_FAULTS) as error:
            message = f"{name} does not work with this value or these arguments"
            raise RefusedError(message, token=None) from error
        if result is not value:
            _check_size(name, result)
        return result

    return apply_filter


def _prepare_values(
    name: str, context: MessageContext, value: object, args: tuple[object, ...]
) -> tuple[object, tuple[object, ...]]:
    """What the filter may see, once it is paid for and within the limits."""
    if name != "default":
        _require_value(value)
        for argument in args:
            _require_value(argument)
    context.spend(_count_work(name, value))
    if name in _TEXT_FILTERS:
        value, args = print_value(value), tuple(_print_argument(a) for a in args)
    elif isinstance(value, Mapping) and name not in _OBJECT_FILTERS:
        raise RefusedError(f"{name} does not take an object", token=None)
    _check_growth(name, value, args)
    return value, args


def _require_value(value: object) -> None:
    if isinstance(value, MissingValue):
        str(value)  # raises, naming the variable and its place


def _print_argument(value: object) -> object:
    # Numbers stay: truncate counts with them.
    return value if isinstance(value, str | int) else print_value(value)


def _count_work(name: str, value: object) -> int:
    if isinstance(value, str):
        return 1 + len(value) // 256
    if isinstance(value, list | tuple | range):
        turns = len(value)
        return 1 + (turns * turns // 64 if name in _QUADRATIC else turns // 4)
    return 1


def _check_growth(name: str, value: object, args: tuple[object, ...]) -> None:
    _check_size(name, value)
    for argument in args:
        _check_size(name, argument)
    if name in _ALL_REPLACING and args and isinstance(value, str):
        old = print_value(args[0])
        new = print_value(args[1]) if len(args) > 1 else ""
        if len(value) + value.count(old) * (len(new) - len(old)) > MAX_VALUE_BYTES:
            raise _too_much(name)


def _check_size(name: str, value: object) -> None:
    if isinstance(value, str):
        if len(value) > MAX_VALUE_BYTES:
            raise _too_much(name)
    elif isinstance(value, list | tuple | range):
        if len(value) > MAX_ITEMS:
            raise LimitError(f"{name}: more than {MAX_ITEMS:,} items", token=None)
    elif isinstance(value, float | int | Decimal) and not -MAX_NUMBER <= value <= (
        MAX_NUMBER
    ):
        # Also true of NaN, which compares with nothing.
        raise LimitError(f"{name}: a number out of range", token=None)


def _too_much(name: str) -> LimitError:
    return LimitError(f"{name}: more than {MAX_VALUE_BYTES:,} bytes", token=None)


def join_items(left: object, separator: object = " ") -> str:
    """Items as text, refusing before the text is too long."""
    items = left if isinstance(left, list | tuple | range) else [left]
    glue = print_value(separator)
    parts: list[str] = []
    size = 0
    for item in items:
        part = print_value(item)
        size += len(part) + len(glue)
        if size > MAX_VALUE_BYTES + len(glue):
            raise _too_much("join")
        parts.append(part)
    return glue.join(parts)


def strip_tags(value: object) -> str:
    """Text without <tags>, in one pass: nothing here is ever shown as HTML."""
    return _TAGS.sub("", print_value(value))


def format_date(value: object, context: MessageContext, pattern: object = "") -> str:
    """strftime in the contact's zone; 'now' and bare numbers are read there too."""
    moment = _read_moment(value, context)
    shape = print_value(pattern)
    if len(shape) > MAX_DATE_CHARS or _DATE_WIDTH.search(shape):
        raise RefusedError("date: the format is not valid", token=None)
    if moment is None:
        raise RefusedError("date: the value is not a date", token=None)
    return moment.strftime(shape) if shape else str(value)


format_date.with_context = True  # type: ignore[attr-defined]


def _read_moment(value: object, context: MessageContext) -> dt.datetime | None:
    now = context.globals.get("now")
    zone = now.tzinfo if isinstance(now, dt.datetime) else dt.UTC
    if value in ("now", "today"):
        return now if isinstance(now, dt.datetime) else None
    if isinstance(value, dt.datetime):
        return value.astimezone(zone) if value.tzinfo else value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), tzinfo=zone)
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:MAX_DATE_CHARS])
    if isinstance(value, int | float) and math.isfinite(value):
        return dt.datetime.fromtimestamp(value, tz=zone)
    if not isinstance(value, str) or len(value) > MAX_DATE_CHARS:
        return None
    return _parse_moment(value, zone, now if isinstance(now, dt.datetime) else None)


def _parse_moment(
    text: str, zone: dt.tzinfo | None, now: dt.datetime | None
) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        # Without a default dateutil would fill what is left out from the clock.
        start = (now or dt.datetime(2000, 1, 1, tzinfo=zone)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        moment = date_parser.parse(text, default=start)
    if moment.tzinfo is None or zone is None:
        return moment
    # A date alone is a day, not an instant: shifting its zone could change the day.
    return moment if len(text) <= 10 else moment.astimezone(zone)
