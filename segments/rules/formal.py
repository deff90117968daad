"""A description of a rule, read back to the rule. Pure.

    "People who have plan that is “pro” and (performed “Viewed” ever at least once or
    are not in segment “vip”)."

The inverse of `segments.rules.describe`: exact, or None. A group of one and its child
say the same, so a group of one is read as its child.
"""

from __future__ import annotations

from typing import Any

from crm.facts.grammar import QUOTED, Read, either, line, maybe, merge, some, turn
from crm.facts.spoken import LAST, give, make
from crm.ports.facts import list_spoken
from segments.rules.condition import Mode
from segments.rules.describe import JOINTS
from segments.rules.validate import DEPTH_MAX

# Beyond this it is no description of a rule that can be.
FORMAL_MAX = 50_000
SPOKEN: tuple[Read, ...] = (
    make("segment", "are not in segment ", give("segment", QUOTED),
         lambda text, at: ({"member": False}, at)),
    make("segment", "are in segment ", give("segment", QUOTED)),
    make("lifecycle", "are in the lifecycle stage ",
         give("stage", some(QUOTED, " or ")),
         maybe(turn(line(", entered ", LAST), merge))),
)  # fmt: skip


def read_description(said: str) -> dict[str, Any] | None:
    """The root node that describes itself like this, or None."""
    text = said.strip().removeprefix("People who ").removesuffix(".")
    if len(text) > FORMAL_MAX:
        return None
    found = _Tree().read_node(text, 0)
    return found[0] if found and found[1] == len(text) else None


class _Tree:
    """Groups and brackets; counts how deep they stand."""

    def __init__(self) -> None:
        self._depth = 0
        self._leaf = either(*SPOKEN, *list_spoken())

    def read_node(self, text: str, at: int) -> tuple[Any, int] | None:
        if self._depth > DEPTH_MAX:
            return None
        self._depth += 1
        found = either(self._read_none, self._read_group)(text, at)
        self._depth -= 1
        return found

    def _read_none(self, text: str, at: int) -> tuple[Any, int] | None:
        several = line("do none of these: ", some(self._read_child, JOINTS[Mode.NONE]))
        single = turn(line("not: ", self._read_child), lambda read: [read])
        return turn(either(several, single), lambda read: {"none": read[0]})(text, at)

    def _read_group(self, text: str, at: int) -> tuple[Any, int] | None:
        found = self._read_child(text, at)
        if found is None:
            return None
        first, at = found
        for mode in (Mode.ALL, Mode.ANY):
            joint = JOINTS[mode]
            if rest := line(joint, some(self._read_child, joint))(text, at):
                return {mode.value: [first, *rest[0][0]]}, rest[1]
        return found

    def _read_child(self, text: str, at: int) -> tuple[Any, int] | None:
        nested = turn(line("(", self.read_node, ")"), lambda read: read[0])
        return either(nested, self._leaf)(text, at)
