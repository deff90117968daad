"""From JSON to a checked rule; each fault names its node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm.ports.facts import RuleError, find_fact_source
from segments.rules.condition import Group, Leaf, Mode, Node, Rule

RULE_VERSION = 1
DEPTH_MAX = 10
NODES_MAX = 200


def parse_rule(data: Any) -> Rule:
    """The rule in `data`, or RuleError with the path of the first fault."""
    if not isinstance(data, Mapping):
        raise RuleError("rule", "type", "must be an object")
    if data.get("version") != RULE_VERSION or isinstance(data["version"], bool):
        raise RuleError("version", "version", f"must be {RULE_VERSION}")
    _refuse_keys(data, {"version", "root"}, "rule")
    if "root" not in data:
        raise RuleError("root", "required", "is missing")
    return Rule(_TreeReader().read(data["root"], "root", depth=1))


def _refuse_keys(node: Mapping[str, Any], known: set[str], path: str) -> None:
    for key in node:
        if key not in known:
            raise RuleError(path, "unknown_key", f"has no {str(key)[:60]!r}")


class _TreeReader:
    """Reads one tree and counts its nodes on the way down."""

    def __init__(self) -> None:
        self._nodes = 0

    def read(self, node: Any, path: str, *, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise RuleError(path, "too_big", f"has more than {NODES_MAX} nodes")
        if depth > DEPTH_MAX:
            raise RuleError(path, "too_deep", f"is nested deeper than {DEPTH_MAX}")
        if not isinstance(node, Mapping):
            raise RuleError(path, "type", "must be an object")
        modes = [mode for mode in Mode if mode in node]
        if not modes:
            return _read_leaf(node, path)
        if len(modes) > 1 or "type" in node:
            raise RuleError(path, "choice", "must be all, any, none or a condition")
        _refuse_keys(node, {modes[0].value}, path)
        return self._read_group(node[modes[0]], modes[0], path, depth=depth)

    def _read_group(self, entries: Any, mode: Mode, path: str, *, depth: int) -> Group:
        inside = f"{path}.{mode}"
        if not isinstance(entries, list):
            raise RuleError(inside, "type", "must be a list")
        if not entries:
            raise RuleError(inside, "empty", "must hold at least one condition")
        children = (
            self.read(child, f"{inside}[{index}]", depth=depth + 1)
            for index, child in enumerate(entries)
        )
        return Group(path, mode, tuple(children))


def _read_leaf(node: Mapping[str, Any], path: str) -> Leaf:
    kind = node.get("type")
    source = find_fact_source(kind) if isinstance(kind, str) else None
    if source is None:
        if kind is None:
            raise RuleError(path, "required", "needs a type, or all, any or none")
        raise RuleError(
            f"{path}.type", "choice", f"{str(kind)[:60]!r} is no known condition"
        )
    return Leaf(path, source.parse(node, path))
