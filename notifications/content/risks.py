"""Which values a template prints without a fallback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.expression import Expression

from notifications.content.liquid import find_line, parse_text


@dataclass(frozen=True, slots=True)
class UnguardedValue:
    """A path, such as customer.city, that fails the message where it is missing."""

    path: str
    line: int


def find_unguarded_values(source: str) -> list[UnguardedValue]:
    """Printed or assigned with no `default`, inside no condition that mentions it.

    Raises RenderError where the source cannot be parsed.
    """
    tree = parse_text(source).tree
    if tree is None:
        return []
    found: dict[str, UnguardedValue] = {}
    for node in tree.nodes:
        for path in _walk_node(node, frozenset()):
            line = find_line(source, path.token.start_index)
            found.setdefault(str(path), UnguardedValue(str(path), line))
    return list(found.values())


def _walk_node(node: Node, guarded: frozenset[str]) -> Iterator[Path]:
    if isinstance(node, OutputNode | AssignNode):
        for path in _find_bare_paths(node.expression):
            if str(path) not in guarded:
                yield path
        return
    # A condition that asks for a value knows that it may be missing.
    asked = {str(path) for path in _find_paths(node.expressions())}
    # Only tags that load other templates read the context, and we have none.
    for child in node.children(None, include_partials=False):  # type: ignore[arg-type]
        yield from _walk_node(child, guarded | asked)


def _find_bare_paths(expression: Expression) -> Iterator[Path]:
    if not isinstance(expression, FilteredExpression):
        return
    if any(item.name == "default" for item in expression.filters or ()):
        return
    yield from _find_paths([expression])


def _find_paths(expressions: Iterable[Expression]) -> Iterator[Path]:
    for expression in expressions:
        if isinstance(expression, Path):
            yield expression
        yield from _find_paths(expression.children())
