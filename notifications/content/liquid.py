"""Parse, check and render Liquid for messages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from liquid import BoundTemplate, Environment, Mode
from liquid.exceptions import LiquidError, LiquidInterrupt, UndefinedError
from liquid.static_analysis import TemplateAnalysis

from notifications.content.dialect import (
    MAX_ITEMS,
    MAX_VALUE_BYTES,
    MessageContext,
    MissingValue,
    TextBuffer,
)
from notifications.content.errors import Problem, RenderError
from notifications.content.filters import (
    ALLOWED_FILTERS,
    FILTER_FAULTS,
    guard_filters,
)
from notifications.content.tags import (
    AbortMessageTag,
    AbortTag,
    EchoValueTag,
    ValueTag,
    WeighedForTag,
)

# What a template may name; `trigger` is Customer.io's word for the event's properties.
KNOWN_ROOTS = frozenset(
    {
        "brand",
        "campaign",
        "catalog",
        "customer",
        "event",
        "item",
        "journey",
        "last_items",
        "now",
        "product",
        "trigger",
    }
)

# Tags of the library that stay. Left out: everything that loads another template, and
# the ones that exist for rows of HTML (`cycle` also prints objects as Python does).
_KEPT_TAGS = frozenset(
    {
        "content",
        "output",
        "illegal",
        "if",
        "unless",
        "case",
        "for",
        "break",
        "continue",
        "assign",
        "capture",
        "comment",
        "#",
        "increment",
        "decrement",
        "echo",
    }
)

MAX_SOURCE_BYTES = 20 * 1_024
# Longer ones only slow the library's lexer, whose patterns are quadratic in them.
MAX_MARKUP_CHARS = 2_000
# Each is a level of recursion for the library, in the parser and again in rendering.
MAX_MARKUP_PARTS = 100
CACHED_TEMPLATES = 2_048  # per process; a campaign uses a handful

_OPENING = re.compile(r"\{\{|\{%-?\s*(raw\b)?")
_NESTING = re.compile(r"\[|\band\b|\bor\b")
_END_RAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")


class MessageEnvironment(Environment):
    """Strict, with nothing to load from."""

    loop_iteration_limit = MAX_ITEMS
    local_namespace_limit = 200_000  # bytes of all assigned values
    output_stream_limit = MAX_VALUE_BYTES

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=False)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _KEPT_TAGS}
        for tag in (ValueTag, EchoValueTag, WeighedForTag, AbortTag, AbortMessageTag):
            self.add_tag(tag)
        guard_filters(self)


_ENVIRONMENT = MessageEnvironment(tolerance=Mode.STRICT, undefined=MissingValue)


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A source, and its tree where there is any Liquid in it."""

    source: str
    tree: BoundTemplate | None


@lru_cache(maxsize=CACHED_TEMPLATES)
def parse_text(source: str) -> ParsedText:
    """Raises RenderError(template_error) with the line; equal sources parse once."""
    fault = _scan_markup(source)
    if fault is not None:
        raise RenderError("template_error", fault.message, line=fault.line)
    if "{{" not in source and "{%" not in source:
        return ParsedText(source, None)
    try:
        return ParsedText(source, _ENVIRONMENT.from_string(source))
    except LiquidError as error:
        # What is never closed has no place but the end.
        raise _to_render_error(error, source, len(source)) from error


def render_text(
    source: str, context: Mapping[str, object], *, is_url: bool = False
) -> str:
    """The finished text; in a URL, values are percent-encoded.

    Raises RenderError and RenderAborted.
    """
    parsed = parse_text(source)
    if parsed.tree is None:
        return source
    scope = MessageContext(parsed.tree, globals=context, is_url=is_url)
    buffer = TextBuffer(MAX_VALUE_BYTES, is_final=True)
    try:
        for node in parsed.tree.nodes:
            node.render(scope, buffer)
    except LiquidError as error:
        raise _to_render_error(error, source, node.token.start_index) from error
    except LiquidInterrupt as error:
        raise RenderError("template_error", f"{error} outside a loop") from error
    # The interpreter is not ours and the template is not code: what it trips over is
    # the template's fault.
    except FILTER_FAULTS as error:
        raise RenderError("template_error", type(error).__name__) from error
    return buffer.getvalue()


def check_template(
    source: str, *, roots: Collection[str] = KNOWN_ROOTS, path: str = ""
) -> list[Problem]:
    """Everything wrong with a source that can be known at save."""
    try:
        parsed = parse_text(source)
    except RenderError as error:
        return [Problem("template_syntax", error.detail, path, error.line)]
    if parsed.tree is None:
        return []
    found = parsed.tree.analyze(include_partials=False)
    return [
        *_find_unknown_filters(found, source, path),
        *_find_unknown_roots(found, source, path, roots),
    ]


def _find_unknown_filters(
    found: TemplateAnalysis, source: str, path: str
) -> Iterator[Problem]:
    for name, spans in found.filters.items():
        if name not in ALLOWED_FILTERS:
            line = find_line(source, spans[0].index)
            yield Problem("unknown_filter", f"No filter named {name}.", path, line)


def _find_unknown_roots(
    found: TemplateAnalysis, source: str, path: str, roots: Collection[str]
) -> Iterator[Problem]:
    for name, variables in found.globals.items():
        if name not in roots:
            line = find_line(source, variables[0].span.index)
            message = f"Nothing is named {name}; known are {', '.join(sorted(roots))}."
            yield Problem("unknown_variable", message, path, line)


def find_line(source: str, index: int) -> int:
    """1-based."""
    return source.count("\n", 0, max(index, 0)) + 1


def _scan_markup(source: str) -> Problem | None:
    """What must hold before the library's lexer may see the source; linear."""
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        return Problem("template_syntax", f"longer than {MAX_SOURCE_BYTES:,} bytes")
    position = 0
    while match := _OPENING.search(source, position):
        start = match.start()
        line = find_line(source, start)
        closing = "}}" if match.group().startswith("{{") else "%}"
        end = source.find(closing, start + 2)
        if end < 0:
            return Problem("template_syntax", f"'{closing}' is missing", line=line)
        if end - start > MAX_MARKUP_CHARS:
            message = f"longer than {MAX_MARKUP_CHARS:,} characters in one tag"
            return Problem("template_syntax", message, line=line)
        if len(_NESTING.findall(source, start, end)) > MAX_MARKUP_PARTS:
            message = f"more than {MAX_MARKUP_PARTS} conditions or brackets in one tag"
            return Problem("template_syntax", message, line=line)
        position = end + 2
        if match.group(1):
            end_raw = _END_RAW.search(source, position)
            if end_raw is None:
                return Problem("template_syntax", "endraw is missing", line=line)
            position = end_raw.end()
    return None


def _to_render_error(
    error: LiquidError, source: str, fallback_index: int = -1
) -> RenderError:
    token = error.token
    index = token.start_index if token is not None else -1
    if index < 0:
        index = fallback_index
    line = find_line(source, index) if index >= 0 else None
    detail = str(error.args[0])[:300] if error.args else type(error).__name__
    if isinstance(error, UndefinedError):
        return RenderError("template_missing_value", detail, line=line)
    if token is not None and detail.startswith("unexpected tag"):
        detail = f"the tag {token.value} is not allowed"
    return RenderError("template_error", detail, line=line)
