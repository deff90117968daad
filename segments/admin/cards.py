"""The cards of the editor: folded or open, moved, copied, and what each shows.

A folded card is one sentence; its condition travels as JSON. An open card shows what
its condition says and what it needs; all else it could say stands under "More".
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm.ports.facts import Term
from segments.admin.draft import (
    Fields,
    Node,
    apply_deed,
    describe_leaf,
    find_node,
    find_term,
    list_children,
)

# A stored rule of more conditions opens as a list of sentences.
OPEN_MAX = 3
MOVES = ("up", "down", "into", "out", "copy")


def walk_leaves(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    children = list_children(node)
    if children is None:
        yield key, node
    for n, child in enumerate(children or ()):
        yield from walk_leaves(child, f"{key}-{n}")


class Cards:
    """The tree with its folded cards, which stay themselves while they move."""

    def __init__(self, root: Node, key: str, fields: Fields | None) -> None:
        self.root, self._key = root, key
        leaves = list(walk_leaves(root, key))
        self._folded = {
            id(node)
            for at, node in leaves
            if (
                f"{at}.json" in fields if fields is not None else len(leaves) > OPEN_MAX
            )
            and describe_leaf(node)
        }
        # The control that has the focus next; '' where nothing asks for it.
        self.focus = ""

    def is_folded(self, node: Node) -> bool:
        return id(node) in self._folded

    def open_at(self, key: str) -> None:
        node = find_node(self.root, key)
        self._folded.discard(id(node))

    def apply(self, deed: str) -> None:
        """A button: those of `apply_deed`, those that move, `open:` and `fold:`."""
        verb, _, rest = deed.partition(":")
        key = rest.partition(":")[0]
        node = find_node(self.root, key)
        if node is None:
            return
        if verb in MOVES:
            self._move(verb, key, node)
        elif verb == "open":
            self.open_at(key)
            self.focus = f"{key}.type"
        elif verb == "fold":
            if describe_leaf(node):
                self._folded.add(id(node))
            self.focus = f"do-open:{key}"
        else:
            apply_deed(self.root, deed)
            self.focus = self._find_focus(verb, key, node, rest)

    def _move(self, verb: str, key: str, node: Node) -> None:
        """The focus follows the card, so that the key pressed again moves it on."""
        parent_key, _, last = key.rpartition("-")
        parent = find_node(self.root, parent_key) if parent_key else None
        siblings = list_children(parent) if parent else None
        if siblings is None:
            return
        place = int(last)
        if verb == "copy":
            siblings.insert(place + 1, copy.deepcopy(node))
            new = f"{parent_key}-{place + 1}"
            self.focus = f"{new}.type" if list_children(node) is None else ""
            return
        if verb == "up" and place:
            siblings.insert(place - 1, siblings.pop(place))
        elif verb == "down" and place + 1 < len(siblings):
            siblings.insert(place + 1, siblings.pop(place))
        elif verb == "into":
            move_into_group(siblings, place)
        elif verb == "out":
            move_out(self.root, parent_key, place)
        self.focus = f"do-{verb}:{find_key_of(self.root, self._key, node)}"

    def _find_focus(self, verb: str, key: str, node: Node, rest: str) -> str:
        children = list_children(node)
        if verb == "leaf" and children:
            return f"{key}-{len(children) - 1}.type"
        if verb == "group" and children:
            return f"{key}-{len(children) - 1}.mode"
        if verb == "remove":
            return f"do-leaf:{key.rpartition('-')[0]}"
        if verb == "filter":
            path = rest.partition(":")[2] or "where"
            rows = node.get(path)
            count = len(rows) if isinstance(rows, list) else 0
            return f"{key}.{path}-{count - 1}.property"
        if verb == "unfilter":
            path = rest.split(":")[1] if rest.count(":") > 1 else "where"
            return f"do-filter:{key}:{path}"
        return ""

    def dress(self, view: dict[str, Any], fault_key: str) -> dict[str, Any]:
        """Add to `build_editor`'s tree what each card shows."""
        self._dress(view, self.root, fault_key)
        return view

    def _dress(self, view: dict[str, Any], node: Node, fault_key: str) -> None:
        children = list_children(node)
        for one, child in zip(view.get("children", ()), children or (), strict=True):
            self._dress(one, child, fault_key)
        if children is not None:
            return
        view["sentence"] = describe_leaf(node)
        view["folded"] = self.is_folded(node) and view["key"] != fault_key
        if view["folded"]:
            view["json"] = json.dumps(node, ensure_ascii=False)
        for one in view["inputs"]:
            for n, row in enumerate(one.get("rows", ())):
                row["is_next"] = self.focus == f"{one['name']}-{n}.property"
        term = find_term(node.get("type"))
        if term is not None:
            split_inputs(view, node, term)


def find_key_of(node: Node, key: str, wanted: Node) -> str:
    """Where a node stands now."""
    if node is wanted:
        return key
    for n, child in enumerate(list_children(node) or ()):
        if found := find_key_of(child, f"{key}-{n}", wanted):
            return found
    return ""


def move_into_group(siblings: list[Node], place: int) -> None:
    """Into the group before it, else the one behind it, else a new one of its own."""
    node = siblings[place]
    for other in (place - 1, place + 1):
        if 0 <= other < len(siblings):
            inside = list_children(siblings[other])
            if inside is not None:
                inside.insert(len(inside) if other < place else 0, node)
                del siblings[place]
                return
    siblings[place] = {"any": [node]}


def move_out(root: Node, parent_key: str, place: int) -> None:
    """Behind the group that it was in; a group left empty goes."""
    above_key, _, parent_place = parent_key.rpartition("-")
    above = find_node(root, above_key) if above_key else None
    around = list_children(above) if above else None
    inside = list_children(find_node(root, parent_key) or {})
    if around is None or inside is None:
        return
    around.insert(int(parent_place) + 1, inside.pop(place))
    if not inside:
        del around[int(parent_place)]


def split_inputs(view: dict[str, Any], node: Node, term: Term) -> None:
    """`shown` is what the condition says or needs, `more` what it could say besides.

    An alternative ("or sum of") that is said takes the place of what it stands for.
    """
    outers = list(dict.fromkeys(one.path.partition(".")[0] for one in term.inputs))
    said = {outer for outer in outers if is_said(node, outer)}
    replaced = find_replaced(term, outers, said)
    shown: list[dict[str, Any]] = []
    more: list[dict[str, Any]] = []
    for one in view["inputs"]:
        outer = one["path"].partition(".")[0]
        needed = outer in term.blank and "." not in one["path"]
        is_shown = (
            one["control"] == "filters"
            or outer in said
            or (needed and outer not in replaced)
        )
        (shown if is_shown else more).append(one)
    view["shown"], view["more"] = shown, more
    # A part is called by its first field.
    words: dict[str, str] = {}
    for one in more:
        words.setdefault(one["path"].partition(".")[0], strip_or(one["label"]))
    view["more_words"] = ", ".join(words.values())


def find_replaced(term: Term, outers: list[str], said: set[str]) -> set[str]:
    """What stands just before an alternative that is said."""
    alternatives = {
        one.path.partition(".")[0] for one in term.inputs if one.label.startswith("or ")
    }
    return {
        before
        for before, outer in zip(outers, outers[1:], strict=False)
        if outer in alternatives & said
    }


def is_said(node: Mapping[str, Any], outer: str) -> bool:
    return node.get(outer) not in (None, "", False, [])


def strip_or(label: str) -> str:
    return label.removeprefix("or ").lower()


def list_filtered(root: Node, key: str) -> Sequence[tuple[str, str]]:
    """(event, property) of each filter, for suggestions of values."""
    found = []
    for _, node in walk_leaves(root, key):
        rows = node.get("where")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping):
                name, wanted = node.get("name", ""), row.get("property", "")
                found.append((str(name), str(wanted)))
    return found
