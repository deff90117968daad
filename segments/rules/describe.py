"""A rule in plain English, whole and node by node."""

from __future__ import annotations

from segments.rules.condition import Group, Leaf, Mode, Node, Rule

JOINTS = {Mode.ALL: " and ", Mode.ANY: " or ", Mode.NONE: " or "}


def describe(rule: Rule) -> str:
    """One sentence: "People who …"."""
    return f"People who {describe_node(rule.root)}."


def describe_node(node: Node) -> str:
    """What one node asks, to follow "people who"."""
    if isinstance(node, Leaf):
        return node.condition.describe()
    words = JOINTS[node.mode].join(_describe_child(child) for child in node.children)
    if node.mode is not Mode.NONE:
        return words
    return f"do none of these: {words}" if len(node.children) > 1 else f"not: {words}"


def _describe_child(node: Node) -> str:
    words = describe_node(node)
    # Brackets where "and" and "or" would otherwise run into each other.
    nested = isinstance(node, Group) and len(node.children) > 1
    return f"({words})" if nested or words.startswith("not: ") else words
