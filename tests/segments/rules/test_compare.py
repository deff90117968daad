from __future__ import annotations

from typing import Any

import pytest

from segments.rules.compare import NodeChange, compare_rules, is_same_rule
from segments.rules.validate import parse_rule

PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
FREE = {**PRO, "value": "free"}
OPENED = {"type": "event", "name": "app_open"}
EVERYONE = {"type": "everyone"}


def compare(before: Any, after: Any) -> NodeChange:
    rules = [parse_rule({"version": 1, "root": root}) for root in (before, after)]
    return compare_rules(*rules)


def read(node: NodeChange) -> list[str]:
    """One line for each node that is not as it was."""
    line = f"{node.change}: {f'{node.was} → ' if node.was else ''}{node.text}"
    inner = [line for child in node.children for line in read(child)]
    return inner if node.change == "same" else [line, *inner]


@pytest.mark.parametrize(
    ("_case", "before", "after", "lines"),
    [
        ("the same", {"all": [PRO, OPENED]}, {"all": [PRO, OPENED]}, []),
        ("another order", {"all": [PRO, OPENED]}, {"all": [OPENED, PRO]}, []),
        (
            "a value",
            {"all": [PRO, OPENED]},
            {"all": [FREE, OPENED]},
            ["changed: have plan that is “pro” → have plan that is “free”"],
        ),
        (
            "one more",
            {"all": [PRO]},
            {"all": [PRO, EVERYONE]},
            ["added: are contacts"],
        ),
        (
            "one less",
            {"all": [PRO, EVERYONE]},
            {"all": [PRO]},
            ["removed: are contacts"],
        ),
        (
            "the mode of a group",
            {"all": [PRO, {"any": [OPENED, EVERYONE]}]},
            {"all": [PRO, {"none": [OPENED, EVERYONE]}]},
            ["changed: any of these → none of these"],
        ),
        (
            "deep inside",
            {"all": [PRO, {"any": [OPENED, {"all": [PRO]}]}]},
            {"all": [PRO, {"any": [OPENED, {"all": [FREE]}]}]},
            ["changed: have plan that is “pro” → have plan that is “free”"],
        ),
        (
            "a group goes with all it holds",
            {"all": [PRO, {"any": [OPENED]}]},
            {"all": [PRO]},
            [
                "removed: any of these",
                "removed: performed “app_open” ever at least once",
            ],
        ),
        ("a bare condition in a group", PRO, {"all": [PRO]}, []),
        (
            "another kind of condition",
            PRO,
            OPENED,
            [
                "changed: have plan that is “pro” → "
                "performed “app_open” ever at least once"
            ],
        ),
    ],
)
def test_what_changed_is_told_node_by_node(
    _case: str, before: Any, after: Any, lines: list[str]
) -> None:
    difference = compare(before, after)
    assert read(difference) == lines
    assert difference.touched == len(lines)


def test_equal_twins_are_paired_once_each() -> None:
    assert read(compare({"all": [PRO, PRO]}, {"all": [PRO]})) == [
        "removed: have plan that is “pro”"
    ]


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (PRO, {"all": [PRO]}, True),
        (PRO, {"any": [{"all": [PRO]}]}, True),
        ({"none": [PRO]}, {"all": [{"none": [{"any": [PRO]}]}]}, True),
        (PRO, {"none": [PRO]}, False),
        ({"all": [PRO, FREE]}, {"any": [PRO, FREE]}, False),
        ({"all": [PRO, FREE]}, {"all": [FREE, PRO]}, False),
        ({"type": "device"}, {"type": "device", "reachable": False}, True),
        ({**PRO, "value": 1}, {**PRO, "value": True}, False),
    ],
)
def test_a_rule_is_the_same_where_it_asks_the_same(
    before: Any, after: Any, same: bool
) -> None:
    rules = [parse_rule({"version": 1, "root": root}) for root in (before, after)]
    assert is_same_rule(*rules) is same
