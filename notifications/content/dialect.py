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
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from io import StringIO
from typing import Any, NoReturn, TextIO
from urllib.parse import quote
from uuid import UUID

from liquid import RenderContext, Token
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import (
    FilteredExpression,
    LoopExpression,
    Path,
    logical,
)
from liquid.builtin.expressions.primitive import Blank, Empty, RangeLiteral
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags import case_tag
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import (
    LiquidError,
    LiquidSyntaxError,
    LiquidTypeError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.expression import Expression
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_EXPRESSION
from liquid.undefined import FalsyStrictUndefined
from liquid.utils import ReadOnlyChainMap

from notifications.content.errors import RenderAborted, RenderError
from notifications.content.links import is_settled_start

MAX_VALUE_BYTES = 20 * 1_024  # of one value and of one rendered text
MAX_ITEMS = 1_000  # of a range, a list and the turns of nested loops
MAX_NUMBER = 10**18  # no price is larger, and arithmetic stays cheap
WORK_LIMIT = 50_000  # units of work in one text, about 0.2 s at worst


class LimitError(LiquidError):
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
case_tag._eq = _equals  # type: ignore[attr-defined]
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
        names = ["?" if isinstance(part, MissingValue) else str(part) for part in path]
        name = ".".join(names)[:200]
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
    raise LiquidTypeError("an object has no text: name one of its values", token=None)


def _render_value(node: OutputNode, context: RenderContext, buffer: TextIO) -> int:
    assert isinstance(context, MessageContext)
    context.spend(1)
    expression = node.expression
    text = print_value(expression.evaluate(context))
    if not text.strip() and not _may_be_blank(expression, context):
        raise UndefinedError(f"{expression} is empty", token=node.token)
    if context.is_url and isinstance(buffer, TextBuffer):
        text = _place_in_url(text, expression, buffer)
    return buffer.write(text)


def _place_in_url(text: str, expression: Any, buffer: TextBuffer) -> str:
    """A value inside a link may not add a query, a fragment or another host."""
    # The value that a link begins with brings its scheme and host.
    if buffer.is_empty:
        return text
    if buffer.is_final and not is_settled_start(buffer.getvalue()):
        raise RenderError("link_refused", "Write the host of the link out in full.")
    filters = getattr(expression, "filters", None)
    if filters and filters[-1].name == "url_encode":
        return text
    return quote(text, safe="/", errors="ignore")


def _may_be_blank(expression: Any, context: RenderContext) -> bool:
    """Blank text is a hole unless the author wrote it: a literal, local or default."""
    if not isinstance(expression, FilteredExpression):
        return False
    if any(item.name == "default" for item in expression.filters or ()):
        return True
    left = expression.left
    return not isinstance(left, Path) or left.head() in context.locals


class ValueNode(OutputNode):
    """`{{ … }}`, refusing holes."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return _render_value(self, context, buffer)


class ValueTag(Output):
    node_class = ValueNode


class EchoValueNode(EchoNode):
    """`{% echo … %}`, refusing holes."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return _render_value(self, context, buffer)


class EchoValueTag(EchoTag):
    node_class = EchoValueNode


class WeighedForNode(ForNode):
    """A loop that pays for its body on every turn."""

    __slots__ = ("weight",)

    def __init__(
        self,
        token: Token,
        expression: LoopExpression,
        block: BlockNode,
        default: BlockNode | None = None,
    ) -> None:
        super().__init__(token, expression=expression, block=block, default=default)
        self.weight = _count_nodes(block)

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        assert isinstance(context, MessageContext)
        context.loop_weight = self.weight
        return super().render_to_output(context, buffer)


class WeighedForTag(ForTag):
    node_class = WeighedForNode


def _count_nodes(node: Node) -> int:
    # Only tags that load other templates read the context, and we have none.
    children = node.children(None, include_partials=False)  # type: ignore[arg-type]
    own = sum(_count_parts(part) for part in node.expressions())
    return 1 + own + sum(_count_nodes(child) for child in children)


def _count_parts(expression: Expression) -> int:
    return 1 + sum(_count_parts(child) for child in expression.children())


class AbortNode(Node):
    """`{% abort "reason" %}`: this person gets no message, on purpose."""

    __slots__ = ("reason",)

    def __init__(self, token: Token, reason: str) -> None:
        super().__init__(token)
        self.reason = reason
        # Not blank: a blank block is rendered to nowhere, but it is rendered.
        self.blank = False

    def __str__(self) -> str:
        return f'{{% abort "{self.reason}" %}}'

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> NoReturn:
        raise RenderAborted(self.reason)


class AbortTag(Tag):
    """Takes one literal text, so that reasons can be counted in a table."""

    name = "abort"
    block = False

    def parse(self, stream: TokenStream) -> AbortNode:
        token = stream.current
        if stream.peek.kind != TOKEN_EXPRESSION:
            return AbortNode(token, "")
        # The parser steps over the last token of a tag by itself.
        stream.next()
        return AbortNode(token, _read_reason(stream.current.value.strip(), token))


class AbortMessageTag(AbortTag):
    """Braze's spelling: `{% abort_message('reason') %}`."""

    name = "abort_message"


def _read_reason(text: str, token: Token) -> str:
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if not text:
        return ""
    quote_mark = text[0]
    inner = text[1:-1]
    is_quoted = quote_mark in "'\"" and len(text) > 1 and text[-1] == quote_mark
    if is_quoted and quote_mark not in inner and len(inner) <= 200:
        return inner
    raise LiquidSyntaxError(
        'abort takes one quoted reason: {% abort "reason" %}', token=token
    )
