"""The rule being edited: form fields to JSON, deeds on the tree, JSON to fields.

Every node has a key, `r` for the root and `r-0-2` below it, and its form fields
begin with it, so the whole rule travels in plain form posts and the editor works
without JavaScript. Nothing here decides what is valid: that is `parse_rule`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from crm.ports.facts import Input, RuleError, Term, list_terms
from segments.admin.values import (
    read_names,
    read_number,
    read_steps,
    show_names,
    show_steps,
    show_value,
    type_value,
)
from segments.rules.describe import describe_node
from segments.rules.validate import NODES_MAX, RULE_VERSION, parse_rule

ROOT = "r"
MODES = ("all", "any", "none")
# A form that claims more is cut; the rule itself is refused far earlier.
CHILDREN_MAX = 250
DEPTH_MAX = 12

Node = dict[str, Any]


class Fields(Protocol):
    """What a QueryDict offers, as far as it is read here."""

    def get(self, key: str, default: str) -> str: ...

    def getlist(self, key: str) -> list[str]: ...

    def __contains__(self, key: object) -> bool: ...


def read_draft(fields: Fields, *, nodes_max: int = NODES_MAX + 1) -> Node:
    """The node tree in the form's fields; a blank one where there is none.

    Of more nodes than `nodes_max` the last are left out: one more than a rule may have
    is enough to refuse it.
    """
    if f"{ROOT}.mode" not in fields:
        return {"all": [make_blank("event")]}
    return _TreeReader(fields, nodes_max).read(ROOT, depth=1)


def make_blank(kind: str) -> Node:
    """A new condition, as its source suggests it."""
    term = find_term(kind) or list_terms()[0]
    return json.loads(json.dumps(dict(term.blank)))


def find_term(kind: Any) -> Term | None:
    return next((term for term in list_terms() if term.kind == kind), None)


class _TreeReader:
    """Reads one tree and counts its nodes on the way down."""

    def __init__(self, fields: Fields, nodes_max: int) -> None:
        self._fields, self._left = fields, nodes_max

    def read(self, key: str, *, depth: int) -> Node:
        self._left -= 1
        mode = self._fields.get(f"{key}.mode", "")
        if mode not in MODES:
            return read_folded(self._fields, key) or _read_leaf(self._fields, key)
        size = read_count(self._fields.get(f"{key}.size", "0"))
        children: list[Node] = []
        for n in range(size if depth < DEPTH_MAX else 0):
            if self._left < 1:
                break
            children.append(self.read(f"{key}-{n}", depth=depth + 1))
        return {mode: children}


def read_folded(fields: Fields, key: str) -> Node | None:
    """The condition of a folded card, which travels as JSON; None for an open one.

    Only what holds as a condition is ever folded, so nothing else is taken.
    """
    try:
        node = json.loads(fields.get(f"{key}.json", "") or "null")
        return node if describe_leaf(node) else None
    except (ValueError, RecursionError):
        return None


def describe_leaf(node: Any) -> str:
    """The condition in plain English; '' where it is not finished, or a group."""
    if not isinstance(node, dict) or list_children(node) is not None:
        return ""
    try:
        return describe_node(parse_rule({"version": RULE_VERSION, "root": node}).root)
    except RuleError:
        return ""


def read_count(text: str) -> int:
    return min(read_place(text) or 0, CHILDREN_MAX)


def read_place(text: str) -> int | None:
    """A number that a list may have; None for all else."""
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _read_leaf(fields: Fields, key: str) -> Node:
    kind = fields.get(f"{key}.type", "")
    term = find_term(kind)
    if term is None:
        return {"type": kind}
    if fields.get(f"{key}.was", kind) != kind:
        return make_blank(kind)
    node: Node = {"type": kind}
    for one in term.inputs:
        value = read_input(fields, f"{key}.{one.path}", one)
        if one.control == "value" and value is not None:
            value = type_value(node.get("op"), value)
        if value is not None:
            _put_value(node, one.path, value)
    return _drop_unfinished(node, term)


def read_input(fields: Fields, name: str, one: Input) -> Any:
    """The value of one control; None where nothing was said."""
    if one.control == "check":
        return fields.get(name, "") == "on"
    if one.control == "choices":
        return fields.getlist(name) or None
    if one.control == "filters":
        return _read_filters(fields, name) or None
    if one.control in ("step", "steps"):
        return read_steps(fields.get(name, ""), one.control)
    text = fields.get(name, "")
    if text == "":
        return None
    if one.control == "names":
        return read_names(text)
    return read_number(text) if one.control == "number" else text


def _read_filters(fields: Fields, name: str) -> list[Node]:
    filters = []
    for n in range(read_count(fields.get(f"{name}.size", "0"))):
        if f"{name}-{n}.property" not in fields:
            break
        row: Node = {
            "property": fields.get(f"{name}-{n}.property", ""),
            "op": fields.get(f"{name}-{n}.op", "equals"),
        }
        value = type_value(row["op"], fields.get(f"{name}-{n}.value", ""))
        filters.append(row if value is None else {**row, "value": value})
    return filters


def _put_value(node: Node, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for key in outer:
        node = node.setdefault(key, {})
    node[last] = value


def _drop_unfinished(node: Node, term: Term) -> Node:
    """Leave out parts whose free field is empty; a sum stands for the count."""
    said = {one.path.partition(".")[0] for one in term.inputs if "." in one.path}
    for outer in said & set(node):
        free = [
            one.path.partition(".")[2]
            for one in term.inputs
            if one.path.startswith(f"{outer}.") and one.control in ("text", "number")
        ]
        if free and not any(inner in node[outer] for inner in free):
            del node[outer]
    if "sum" in node:
        node.pop("count", None)
    if "between" in node:
        node.pop("within", None)
    if not node.get("op", True):
        del node["op"]
    return node


# --- Deeds ---


def apply_deed(root: Node, deed: str) -> Node:
    """The tree after a button: `leaf:r`, `group:r-0`, `remove:r-0-1`, `filter:r-0`,
    `unfilter:r-0:1`, with the field of the filters before the number where it is not
    `where`. What names no node changes nothing."""
    verb, _, rest = deed.partition(":")
    key, _, index = rest.partition(":")
    node = find_node(root, key)
    if node is None:
        return root
    if verb == "filter" and index and not _is_filters(node, index):
        return root
    children = list_children(node)
    if verb == "leaf" and children is not None:
        children.append(make_blank("event"))
    elif verb == "group" and children is not None:
        children.append({"any": [make_blank("event")]})
    elif verb == "filter" and children is None:
        filters = node.setdefault(index or "where", [])
        filters.append({"property": "", "op": "equals", "value": ""})
    elif verb == "unfilter" and children is None:
        _remove_filter(node, index)
    elif verb == "remove":
        _remove_node(root, key)
    return root


def _is_filters(node: Node, path: str) -> bool:
    term = find_term(node.get("type"))
    return term is not None and any(
        one.path == path and one.control == "filters" for one in term.inputs
    )


def _remove_filter(node: Node, index: str) -> None:
    field, _, number = index.rpartition(":")
    field, place = field or "where", read_place(number)
    if place is not None and isinstance(node.get(field), list):
        node[field] = [row for n, row in enumerate(node[field]) if n != place]


def _remove_node(root: Node, key: str) -> None:
    above, _, last = key.rpartition("-")
    parent = find_node(root, above)
    siblings = list_children(parent) if parent else None
    if siblings is not None:
        del siblings[int(last)]


def find_node(root: Node, key: str) -> Node | None:
    first, *steps = key.split("-")
    node: Node | None = root if first == ROOT else None
    for step in steps:
        children = list_children(node) if node else None
        place = read_place(step)
        if children is None or place is None or place >= len(children):
            return None
        node = children[place]
    return node


def list_children(node: Node) -> list[Node] | None:
    """The children of a group; None for a condition."""
    return next((node[mode] for mode in MODES if mode in node), None)


def find_key(path: str) -> tuple[str, str]:
    """The key of the node that a fault's path names, and what is left of it."""
    found = re.match(r"^root((?:\.(?:all|any|none)\[\d+\])*)\.?(.*)$", path)
    if not found:
        return ROOT, path
    steps = re.findall(r"\[(\d+)\]", found[1])
    return "-".join([ROOT, *steps]), found[2]


# --- Showing ---


def build_editor(
    node: Node, suggestions: Mapping[str, Sequence[str]], *, key: str = ROOT
) -> Node:
    """The tree as templates want it: one dictionary for each node."""
    children = list_children(node)
    if children is None:
        return _build_leaf(node, key, suggestions)
    mode = next(mode for mode in MODES if mode in node)
    return {
        "key": key,
        "is_root": key == ROOT,
        "mode": mode,
        "modes": MODES,
        "children": [
            build_editor(child, suggestions, key=f"{key}-{n}")
            for n, child in enumerate(children)
        ],
    }


def _build_leaf(node: Node, key: str, suggestions: Mapping[str, Sequence[str]]) -> Node:
    term = find_term(node.get("type"))
    inputs = [] if term is None else [_build_input(node, key, i) for i in term.inputs]
    return {
        "key": key,
        "kind": node.get("type", ""),
        "hint": term.hint if term else "",
        "terms": [(one.kind, one.label) for one in list_terms()],
        "inputs": inputs,
        "values": suggestions.get(f"values:{node.get('trait')}", ()),
    }


def _build_input(node: Node, key: str, one: Input) -> Node:
    value: Any = node
    for part in one.path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    shown = {
        "name": f"{key}.{one.path}",
        "path": one.path,
        "label": one.label,
        "control": one.control,
        "choices": one.choices,
        "suggest": f"values-{key}" if one.suggest == "values" else one.suggest,
        "value": "" if value is None else value,
    }
    if one.control == "check":
        shown["value"] = one.is_on if value is None else value
    if one.control == "value":
        shown["value"] = "" if value is None else show_value(node.get("op"), value)
    if one.control == "names":
        shown["value"] = show_names(value)
    if one.control in ("step", "steps"):
        shown["value"] = "" if value is None else show_steps(value)
    if one.control == "filters":
        shown["rows"] = [
            {**row, "value": show_value(row.get("op"), row.get("value", ""))}
            for row in (value if isinstance(value, list) else ())
            if isinstance(row, Mapping)
        ]
    return shown
