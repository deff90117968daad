"""What changed between two rules, node by node, in plain English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segments.rules.condition import Group, Leaf, Mode, Node, Rule
from segments.rules.describe import describe_node

SAME, ADDED, REMOVED, CHANGED = "same", "added", "removed", "changed"
JOINED = {
    Mode.ALL: "all of these",
    Mode.ANY: "any of these",
    Mode.NONE: "none of these",
}


@dataclass(frozen=True, slots=True)
class NodeChange:
    """One node of either rule. `was` is how a changed one read before; a group that
    holds changes is `changed` only where its own mode is another."""

    change: str
    text: str
    was: str = ""
    children: tuple[NodeChange, ...] = ()

    @property
    def touched(self) -> int:
        """How many nodes were added, removed or changed, this one included."""
        return (self.change != SAME) + sum(one.touched for one in self.children)


def compare_rules(before: Rule, after: Rule) -> NodeChange:
    """The tree of the newer rule, with what is gone at its old place's end."""
    if isinstance(before.root, Group) != isinstance(after.root, Group):
        # A bare condition reads as a group of it alone.
        return _compare_nodes(_wrap(before.root), _wrap(after.root))
    return _compare_nodes(before.root, after.root)


def is_same_rule(before: Rule, after: Rule) -> bool:
    """Whether they ask the same in the same order; all or any of one is that one."""
    return _is_same(_unwrap(before.root), _unwrap(after.root))


def _unwrap(node: Node) -> Node:
    if isinstance(node, Leaf):
        return node
    children = tuple(_unwrap(child) for child in node.children)
    if len(children) == 1 and node.mode is not Mode.NONE:
        return children[0]
    return Group(node.path, node.mode, children)


def _wrap(node: Node) -> Node:
    return node if isinstance(node, Group) else Group(node.path, Mode.ALL, (node,))


def _compare_nodes(before: Node, after: Node) -> NodeChange:
    if isinstance(before, Group) and isinstance(after, Group):
        same = before.mode is after.mode
        return NodeChange(
            SAME if same else CHANGED,
            JOINED[after.mode],
            was="" if same else JOINED[before.mode],
            children=_compare_children(before.children, after.children),
        )
    if _is_same(before, after):
        return _tell(after, SAME)
    return NodeChange(CHANGED, describe_node(after), was=describe_node(before))


def _compare_children(
    before: Sequence[Node], after: Sequence[Node]
) -> tuple[NodeChange, ...]:
    """Equal nodes are paired first, wherever they stand; then those of one kind."""
    gone = list(before)
    pairs: dict[int, Node] = {}
    for is_pair in (_is_same, _is_alike):
        for place, node in enumerate(after):
            if place in pairs:
                continue
            twin = next((one for one in gone if is_pair(one, node)), None)
            if twin is not None:
                pairs[place] = twin
                gone = [one for one in gone if one is not twin]
    kept = [
        _compare_nodes(pairs[place], node) if place in pairs else _tell(node, ADDED)
        for place, node in enumerate(after)
    ]
    return (*kept, *(_tell(node, REMOVED) for node in gone))


def _is_same(one: Node, other: Node) -> bool:
    """The same question, wherever it stands in its rule."""
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        # 1 equals True in Python, and asks for something else.
        same = one.condition == other.condition
        return same and repr(one.condition) == repr(other.condition)
    if isinstance(one, Group) and isinstance(other, Group):
        return (
            one.mode is other.mode
            and len(one.children) == len(other.children)
            and all(map(_is_same, one.children, other.children))
        )
    return False


def _is_alike(one: Node, other: Node) -> bool:
    """Two readings of one node: what the first became, most likely."""
    if isinstance(one, Leaf) and isinstance(other, Leaf):
        return type(one.condition) is type(other.condition)
    return isinstance(one, Group) and isinstance(other, Group)


def _tell(node: Node, change: str) -> NodeChange:
    if isinstance(node, Leaf):
        return NodeChange(change, describe_node(node))
    children = tuple(_tell(child, change) for child in node.children)
    return NodeChange(change, JOINED[node.mode], children=children)
