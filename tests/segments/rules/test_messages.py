"""Sentences about messages, and their rules in words back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.ports.facts import RuleError
from segments.rules.describe import describe_node
from segments.rules.parse import parse_sentence
from segments.rules.validate import parse_rule
from segments.rules.words import Vocabulary

VOCABULARY = Vocabulary(
    events=("app_open", "Order Completed", "Message Opened"),
    topics={"Promotions & Deals": "promotions"},
    campaigns={"Spring sale": "Spring sale", "Win back": "Win back"},
)


def within(amount: int, unit: str = "days") -> dict[str, Any]:
    return {"within": {"amount": amount, "unit": unit}}


def reached(outcome: str, op: str = "", n: int = 0, **rest: Any) -> dict[str, Any]:
    count = {"count": {"op": op, "n": n}} if op else {}
    return {"type": "message", "outcome": outcome, **rest, **count}


def absent(outcome: str, **rest: Any) -> dict[str, Any]:
    return {"type": "not_message", "outcome": outcome, **rest}


def ignored(last: int, **rest: Any) -> dict[str, Any]:
    return {"type": "ignored", "last": last, **rest}


SPRING: dict[str, Any] = {"campaign": "Spring sale"}
WHOLE = [
    ("opened the campaign Spring sale", reached("opened", **SPRING)),
    ("people who opened the Spring sale campaign", reached("opened", **SPRING)),
    ("opened the campaign “Spring Sale” twice in the last month",
     reached("opened", "at_least", 2, **SPRING, **within(30))),
    ("opened the campaign no. 7", reached("opened", campaign=7)),
    ("clicked a message in the last 7 days", reached("clicked", **within(7))),
    ("clicked on one of our push notifications in the last 7 days",
     reached("clicked", channel="push", **within(7))),
    ("were sent more than 3 messages in the last week",
     reached("sent", "at_least", 4, **within(7))),
    ("received at most 2 e-mails in 30 days",
     reached("delivered", "at_most", 2, channel="email", **within(30))),
    ("haven't opened any push notification in 30 days",
     absent("opened", channel="push", **within(30))),
    ("were not sent any message in the last 2 weeks", absent("sent", **within(14))),
    ("have never opened an email", reached("opened", "exactly", 0, channel="email")),
    ("didn't open 3 messages in the last week",
     reached("opened", "at_most", 2, **within(7))),
    (
        "were sent the campaign Win back but didn't open it",
        {"all": [
            reached("sent", campaign="Win back"),
            reached("opened", "exactly", 0, campaign="Win back"),
        ]},
    ),
    (
        "were sent a message in the last 3 days and opened it",
        {"all": [
            reached("sent", **within(3)),
            reached("opened", "at_least", 1, **within(3)),
        ]},
    ),
    ("opened zero messages", reached("opened", "exactly", 0)),
    ("ignored the last 3 messages", ignored(3)),
    ("ignored our last 5 push notifications", ignored(5, channel="push")),
    ("ignored three emails in a row", ignored(3, channel="email")),
    ("haven't opened the last 4 messages", ignored(4)),
    ("didn't ignore the last message", {"none": [ignored(1)]}),
    ("left their last 3 messages by push unopened for 2 days or longer, in the last "
     "30 days",
     ignored(3, channel="push", after={"amount": 2, "unit": "days"}, **within(30))),
    ("can be reached by sms", {"type": "reachable", "channel": "sms"}),
    ("can't be reached by e-mail about promotions & deals",
     {"type": "reachable", "channel": "email", "topic": "promotions",
      "reachable": False}),
    ("reachable by push", {"type": "device", "reachable": True}),
    ("haven't opened the app in 7 days",
     {"type": "not_performed", "name": "app_open", **within(7)}),
]  # fmt: skip


@pytest.mark.parametrize(("said", "root"), WHOLE)
def test_a_sentence_is_the_rule_it_means(said: str, root: dict[str, Any]) -> None:
    found = parse_sentence(said, VOCABULARY)
    assert (found.root, found.unknown) == (root, ())


@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        ("opened the campaign Summer sale", ("opened", "campaign Summer sale")),
        ("opened it", ("opened",)),
        ("ignored 3 messages", ("ignored 3 messages",)),
    ],
)
def test_what_is_not_known_is_shown_back(said: str, unknown: tuple[str, ...]) -> None:
    found = parse_sentence(said, VOCABULARY)
    assert (found.root, found.unknown) == (None, unknown)


@pytest.mark.parametrize(
    "node",
    [
        reached("opened", "at_least", 2, **SPRING, channel="push", **within(30)),
        reached("sent"),
        reached("clicked", "at_most", 1, campaign=7),
        reached("delivered", "exactly", 0, channel="whatsapp"),
        reached("converted", **within(7)),
        {"type": "reachable", "channel": "push", "topic": "promotions"},
        ignored(3, channel="in_app", after={"amount": 5, "unit": "hours"}, **SPRING),
    ],
)
def test_what_a_rule_says_is_understood(node: dict[str, Any]) -> None:
    words = describe_node(parse_rule({"version": 1, "root": node}).root)
    found = parse_sentence(words, VOCABULARY)
    assert (found.root, found.unknown) == (node, ())


WORDS = sorted({word for said, _ in WHOLE for word in re.findall(r"\S+", said)})


@given(st.lists(st.sampled_from([*WORDS, "9" * 400, "1.5", "it"]), max_size=14))
def test_any_words_make_a_rule_or_none(words: list[str]) -> None:
    found = parse_sentence(" ".join(words), VOCABULARY)
    fault = ""
    try:
        parse_rule(found.rule) if found.rule else None
    except RuleError as error:
        fault = error.code
    # A number, or a window, that no rule takes is refused by its place.
    assert fault in ("", "range")
