"""Descriptions read back: parse(describe(rule)) is the rule (decisions.md)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from crm.facts.happenings import Happening, NotPerformed, Performed
from segments.rules.condition import Leaf, Mode, Node
from segments.rules.describe import describe
from segments.rules.formal import read_description
from segments.rules.parse import parse_sentence
from segments.rules.validate import parse_rule
from segments.rules.words import Vocabulary
from tests.segments.rules.test_describe import RULES
from tests.segments.strategies import NODE


def check(root: dict[str, Any]) -> None:
    rule = parse_rule({"version": 1, "root": root})
    read = parse_sentence(describe(rule), Vocabulary())
    assert read.is_whole, describe(rule)
    found = read.root
    again = parse_rule({"version": 1, "root": found})
    assert simplify(again.root) == simplify(rule.root)


def simplify(node: Node) -> Any:
    """A group of one says what its child says; to have never done a thing, without a
    window, is to have done it no time."""
    if isinstance(node, Leaf):
        asked = node.condition
        if isinstance(asked, NotPerformed) and not begins(asked.happening):
            return Performed(asked.happening, "exactly", 0)
        return asked
    children = tuple(simplify(child) for child in node.children)
    if len(children) == 1 and node.mode is not Mode.NONE:
        return children[0]
    return (node.mode, children)


def begins(happening: Happening) -> bool:
    return bool(happening.window or happening.span.since)


@pytest.mark.parametrize(("_case", "root", "_text"), RULES)
def test_each_kind_is_read_back(_case: str, root: dict[str, Any], _text: str) -> None:
    check(root)


@settings(max_examples=1_000, deadline=None)
@given(NODE)
def test_a_random_rule_is_read_back(root: dict[str, Any]) -> None:
    check(root)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "People who.",
        "have plan that is “pro” and",
        "have plan that is “pro",
        "have plan that is “pro” and (have age that is more than 3",
        "(" * 10_000,
        "not: " * 5_000 + "are contacts",
        "(not: " * 5_000,
        "have plan that is one of " + "“a”, " * 5_000,
        "are contacts and are contacts or are contacts",
    ],
)
def test_what_is_no_description_is_left_to_the_words(said: str) -> None:
    assert read_description(said) is None


@pytest.mark.parametrize(
    ("trait", "label"),
    [
        ("plan", "plan"),
        ("phone", "“phone”"),
        ("a ” that is “b", "“a ”” that is “b”"),
        ("it's 100%", "“it's 100%”"),
    ],
)
def test_a_name_is_quoted_where_it_could_be_taken_for_more(
    trait: str, label: str
) -> None:
    root = {"type": "attribute", "trait": trait, "op": "equals", "value": "a” or “b"}
    rule = parse_rule({"version": 1, "root": root})
    assert describe(rule) == f"People who have {label} that is “a”” or “b”."
    assert read_description(describe(rule)) == root


WEEK = {"amount": 7, "unit": "days"}


@pytest.mark.parametrize(
    "root",
    [
        {"type": "message", "outcome": "opened", "channel": "push", "within": WEEK},
        {
            **{"type": "message", "outcome": "sent", "campaign": "Spring ”sale”"},
            "count": {"op": "at_most", "n": 3},
        },
        {
            **{"type": "message", "outcome": "clicked", "campaign": 7},
            "count": {"op": "exactly", "n": 0},
        },
        {"type": "not_message", "outcome": "sent", "within": WEEK},
        {
            **{"type": "not_message", "outcome": "opened", "within": WEEK},
            "include_newcomers": True,
        },
        {
            **{"type": "ignored", "last": 3, "after": {"amount": 1, "unit": "days"}},
            **{"channel": "push", "within": WEEK},
        },
        {"type": "reachable", "channel": "email", "topic": "promotions"},
        {
            **{"type": "reachable", "channel": "push", "reachable": False},
            "reason": ["suppressed", "no_consent"],
        },
        {
            **{"type": "consent", "state": "unsaid", "topic": "promotions"},
            "channel": "push",
        },
        {"type": "consent", "state": "subscribed"},
        {
            **{"type": "event", "name": "Viewed"},
            "where": [
                {"property": "$product.stock", "op": "lte", "value": 5},
                {"property": "$category", "op": "equals", "value": "Shoes"},
                {"property": "product", "op": "exists"},
            ],
        },
        {
            **{"type": "aggregate", "measure": "last", "name": "Viewed"},
            **{"property": "product_id", "op": "equals", "value": "Alpine"},
            "lookup": {"catalog": "products", "field": "brand"},
        },
        {"type": "lifecycle", "stage": ["at_risk", "churned"], "within": WEEK},
    ],
)
def test_what_other_apps_own_is_read_back(root: dict[str, Any]) -> None:
    check({"any": [root, {"none": [root]}]})
