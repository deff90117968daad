"""The tree of a rule: groups over leaves, immutable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from crm.ports.facts import Condition, Mentions


class Mode(StrEnum):
    """How a group joins what it holds."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition and where it stands in the rule."""

    path: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Group:
    """All, any or none of its children."""

    path: str
    mode: Mode
    children: tuple[Node, ...]


Node = Group | Leaf


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule, ready to be compiled and described."""

    root: Node

    def leaves(self) -> Iterator[Leaf]:
        return list_leaves(self.root)

    def mentions(self) -> Mentions:
        """Everything but time that can move somebody in or out."""
        found = Mentions()
        for leaf in self.leaves():
            found = found | leaf.condition.mentions()
        return found


def list_leaves(node: Node) -> Iterator[Leaf]:
    """The leaves under `node`, left to right."""
    if isinstance(node, Leaf):
        yield node
        return
    for child in node.children:
        yield from list_leaves(child)
