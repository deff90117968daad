"""The tags of our dialect: values that refuse holes, loops that pay, and `abort`."""

from __future__ import annotations

from typing import Any, NoReturn, TextIO
from urllib.parse import quote

from liquid import RenderContext, Token
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import FilteredExpression, LoopExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import LiquidSyntaxError, UndefinedError
from liquid.expression import Expression
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_EXPRESSION

from notifications.content.dialect import MessageContext, TextBuffer, print_value
from notifications.content.errors import RenderAborted, RenderError
from notifications.content.links import is_settled_start


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
