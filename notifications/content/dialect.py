"""Our dialect of Liquid: strict about holes, blind to Python, bounded in work.

Where it departs from python-liquid:

- A missing, null or blank value may be tested and compared, and may have a default;
  anything else fails the message, so that nothing leaves with a hole.
- Paths reach into mappings and lists only. `customer.size` is a trait, never a length.
- Every loop turn, look-up and filter spends from one allowance, counted and not timed,
  so that the same template passes or fails on every machine.
- No clock: `now` comes from the context and there is no `today`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from io import StringIO
from typing import Any, TextIO
from uuid import UUID

from liquid import RenderContext, Token
from liquid.builtin.expressions import (
    logical,
)
from liquid.builtin.expressions.primitive import Blank, Empty, RangeLiteral
from liquid.builtin.tags import case_tag
from liquid.exceptions import (
    LiquidError,
    UnknownFilterError,
)
from liquid.undefined import FalsyStrictUndefined
from liquid.utils import ReadOnlyChainMap

MAX_VALUE_BYTES = 20 * 1_024  # of one value and of one rendered text
MAX_ITEMS = 1_000  # of a range, a list and the turns of nested loops
MAX_NUMBER = 10**18  # no price is larger, and arithmetic stays cheap
WORK_LIMIT = 50_000  # units of work in one text, about 0.2 s at worst

_PATH_TEXT = re.compile(r"[^\s|{}%,:()=<>!]+")


class RefusedError(LiquidError):
    """Said in our own words, which quote the template but never a value."""


class LimitError(RefusedError):
    """A template asked for more than a message may use."""


class MissingValue(FalsyStrictUndefined):
    """A path that leads to nothing, null or blank text."""

    # `default` replaces it without looking inside.
    force_liquid_default = True

    def __bool__(self) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(MissingValue)

    def __eq__(self, other: object) -> bool:
        return _is_nothing(other)


def _is_nothing(value: object) -> bool:
    if value is None or isinstance(value, MissingValue | Blank | Empty):
        return True
    return isinstance(value, str) and not value.strip()


_compare_equal = logical._eq


def _equals(left: object, right: object) -> bool:
    """`customer.city == blank` holds where there is no city, as in Ruby's Liquid."""
    if isinstance(left, MissingValue) or left is None:
        return _is_nothing(right)
    if isinstance(right, MissingValue) or right is None:
        return _is_nothing(left)
    return bool(_compare_equal(left, right))


_make_range = RangeLiteral._make_range


def _make_short_range(self: RangeLiteral, start: Any, stop: Any) -> range:
    found = _make_range(self, start, stop)
    # A slice of a range keeps it lazy: only its ends are compared here.
    if found.stop - found.start > MAX_ITEMS:
        raise LimitError(f"a range of more than {MAX_ITEMS:,} numbers", token=None)
    return found


# python-liquid has no hook for either, and without the second one
# `{% for i in (1..1000000000) reversed %}` takes all memory before any of its own
# limits is asked. Nothing else in the product uses the library.
logical._eq = _equals
case_tag._eq = _equals
RangeLiteral._make_range = _make_short_range  # type: ignore[method-assign]


class TextBuffer(StringIO):
    """Output that stops at the limit; lone surrogates pass, to be cleaned later."""

    def __init__(self, limit_bytes: int, *, is_final: bool = False) -> None:
        # newline="" keeps the author's line ends.
        super().__init__(newline="")
        # False for the text inside a `capture`.
        self.is_final = is_final
        self.limit_bytes = limit_bytes
        self.size_bytes = 0

    @property
    def is_empty(self) -> bool:
        return self.size_bytes == 0

    def write(self, text: str, /) -> int:
        self.size_bytes += (
            len(text)
            if text.isascii()
            else len(text.encode("utf-8", errors="surrogatepass"))
        )
        if self.size_bytes > self.limit_bytes:
            raise LimitError(
                f"more than {self.limit_bytes:,} bytes of text", token=None
            )
        return super().write(text)


class MessageContext(RenderContext):
    """What one rendering may see, and what it has spent."""

    def __init__(
        self, template: Any, *, globals: Mapping[str, object], is_url: bool = False
    ) -> None:
        super().__init__(template, globals=globals)
        # Without the library's own namespace, whose `now` and `today` read the clock.
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.is_url = is_url
        self.work = 0
        self.loop_weight = 1

    def spend(self, units: int) -> None:
        self.work += units
        if self.work > WORK_LIMIT:
            raise LimitError("too much work for one message", token=None)

    def get(
        self, path: list[object], *, token: Token | None, default: object = None
    ) -> object:
        self.spend(1)
        # python-liquid compares its own sentinel with ==, so the argument is not
        # passed on: nothing in our dialect asks for another default.
        value = super().get(path, token=token)
        if isinstance(value, MissingValue) and path[0] in self.locals:
            # An assigned one keeps the name and place it was missing at.
            return value
        if value is None or isinstance(value, MissingValue):
            return self._make_missing(path, token)
        if (
            isinstance(value, str)
            and not value.strip()
            # Blank text that the author assigned, such as a separator, is meant.
            and path[0] not in self.locals
        ):
            return self._make_missing(path, token)
        return value

    def _make_missing(self, path: list[object], token: Token | None) -> MissingValue:
        name = _read_path(token) or str(path[0])
        return MissingValue(name, token=token, hint=f"{name} is missing")

    def get_item(self, obj: Any, key: Any) -> Any:
        if isinstance(obj, MissingValue) or isinstance(key, MissingValue):
            raise KeyError(key)
        if isinstance(obj, Mapping):
            return obj[key]
        if isinstance(obj, list | tuple | range):
            if key == "size":
                return len(obj)
            if key in ("first", "last"):
                return obj[0 if key == "first" else -1]
            if isinstance(key, int) and not isinstance(key, bool):
                return obj[key]
        if isinstance(obj, str) and key == "size":
            return len(obj)
        raise KeyError(key)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        found = self.env.filters.get(name)
        if found is None:
            raise UnknownFilterError(f"unknown filter '{name}'", token=token)
        return partial(found, self)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.spend(length * self.loop_weight)
        super().raise_for_loop_limit(length)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        return TextBuffer(MAX_VALUE_BYTES)


def _read_path(token: Token | None) -> str:
    """The path as the author wrote it: what it was resolved to may be personal."""
    if token is None or token.start_index < 0:
        return ""
    match = _PATH_TEXT.match(token.source, token.start_index)
    return match.group()[:200] if match else ""


def print_value(value: object) -> str:
    """A value as a reader expects it; an object has no such form."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, MissingValue) or value is None:
        return str(value) if value is not None else ""
    if isinstance(value, list | tuple):
        return "".join(print_value(item) for item in value)
    if isinstance(value, range):
        return f"{value.start}..{value.stop - 1}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Blank | Empty):
        return ""
    if isinstance(value, int | float | dt.date | dt.time | UUID):
        return str(value)
    raise RefusedError("an object has no text: name one of its values", token=None)
