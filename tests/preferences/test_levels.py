from __future__ import annotations

import pytest

from preferences import levels
from preferences.levels import TopicRule, Verdict

TOPIC = TopicRule(id=7, is_default_on=False, is_transactional=False)
DEFAULT_ON = TopicRule(id=7, is_default_on=True, is_transactional=False)
SERVICE = TopicRule(id=7, is_default_on=True, is_transactional=True)
CLOSED = TopicRule(id=7, is_default_on=True, is_transactional=False, is_active=False)
ON, OFF, WAIT = levels.SUBSCRIBED, levels.UNSUBSCRIBED, levels.PENDING


@pytest.mark.parametrize(
    ("_case", "said", "topic", "expected"),
    [
        ("silence, opt-in", {}, TOPIC, Verdict(False, "never opted in")),
        (
            "silence, on by default",
            {},
            DEFAULT_ON,
            Verdict(True, "topic: subscribed by default"),
        ),
        (
            "the default of a service topic is no basis for promotion",
            {},
            SERVICE,
            Verdict(False, "never opted in"),
        ),
        (
            "a yes to a service topic is",
            {("", 7): ON},
            SERVICE,
            Verdict(True, "topic: subscribed"),
        ),
        ("topic", {("", 7): ON}, TOPIC, Verdict(True, "topic: subscribed")),
        (
            "topic on channel",
            {("push", 7): ON},
            TOPIC,
            Verdict(True, "topic on push: subscribed"),
        ),
        (
            "topic on another channel",
            {("email", 7): ON},
            TOPIC,
            Verdict(False, "never opted in"),
        ),
        (
            "another topic",
            {("push", 8): ON, ("", 8): ON},
            TOPIC,
            Verdict(False, "never opted in"),
        ),
        (
            "master yes is no yes to a topic",
            {("", None): ON, ("push", None): ON},
            TOPIC,
            Verdict(False, "never opted in"),
        ),
        (
            "master no beats every yes",
            {("", None): OFF, ("push", None): ON, ("", 7): ON, ("push", 7): ON},
            TOPIC,
            Verdict(False, "master switch: unsubscribed"),
        ),
        (
            "channel no beats topic yes",
            {("push", None): OFF, ("", 7): ON, ("push", 7): ON},
            TOPIC,
            Verdict(False, "channel push: unsubscribed"),
        ),
        (
            "topic no beats topic × channel yes",
            {("", 7): OFF, ("push", 7): ON},
            TOPIC,
            Verdict(False, "topic: unsubscribed"),
        ),
        (
            "topic × channel no",
            {("", 7): ON, ("push", 7): OFF},
            TOPIC,
            Verdict(False, "topic on push: unsubscribed"),
        ),
        (
            "no on another channel",
            {("", 7): ON, ("email", 7): OFF, ("email", None): OFF},
            TOPIC,
            Verdict(True, "topic: subscribed"),
        ),
        (
            "waiting for confirmation",
            {("", 7): WAIT},
            TOPIC,
            Verdict(False, "topic: pending"),
        ),
        (
            "a closed topic",
            {("", 7): ON},
            CLOSED,
            Verdict(False, "topic is closed"),
        ),
        ("no topic, silence", {}, None, Verdict(False, "never opted in")),
        (
            "no topic, channel yes",
            {("push", None): ON},
            None,
            Verdict(True, "channel push: subscribed"),
        ),
        (
            "no topic, master yes",
            {("", None): ON},
            None,
            Verdict(True, "master switch: subscribed"),
        ),
        (
            "no topic, channel no",
            {("", None): ON, ("push", None): OFF},
            None,
            Verdict(False, "channel push: unsubscribed"),
        ),
    ],
)
def test_promotional_needs_a_yes_and_no_wider_no(_case, said, topic, expected):
    assert levels.judge_promotional(said, channel="push", topic=topic) == expected


@pytest.mark.parametrize(
    ("_case", "said", "topic", "allowed"),
    [
        ("silence", {}, TOPIC, True),
        ("no topic", {("", None): OFF}, None, True),
        ("master no", {("", None): OFF, ("push", None): OFF}, SERVICE, True),
        ("no to this topic", {("", 7): OFF}, SERVICE, False),
        ("no to this topic on this channel", {("push", 7): OFF}, SERVICE, False),
        ("no to this topic elsewhere", {("email", 7): OFF}, SERVICE, True),
        ("waiting", {("", 7): WAIT}, SERVICE, True),
    ],
)
def test_transactional_obeys_only_a_no_to_its_topic(_case, said, topic, allowed):
    verdict = levels.judge_transactional(said, channel="push", topic=topic)
    assert verdict.allowed is allowed


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (ON, OFF, OFF),
        (WAIT, ON, WAIT),
        (WAIT, OFF, OFF),
        (ON, None, ON),
        (None, OFF, OFF),
        (None, None, None),
    ],
)
def test_the_stricter_word_wins(one, other, expected):
    assert levels.pick_strictest(one, other) == expected
    assert levels.pick_strictest(other, one) == expected


@pytest.mark.parametrize(
    ("_case", "said", "topics", "is_on"),
    [
        ("fresh", {}, [TOPIC, SERVICE], False),
        ("one topic on", {("", 7): ON}, [TOPIC], True),
        ("said off", {("", None): OFF, ("", 7): ON}, [TOPIC], False),
        ("said on", {("", None): ON}, [TOPIC], True),
    ],
)
def test_master_shows_on_once_anything_it_governs_is_on(_case, said, topics, is_on):
    assert levels.is_master_on(said, topics) is is_on


def test_a_cell_follows_its_word_then_the_topic_then_the_default():
    assert levels.is_cell_on({("push", 7): OFF, ("", 7): ON}, TOPIC, "push") is False
    assert levels.is_cell_on({("", 7): ON}, TOPIC, "push") is True
    assert levels.is_cell_on({}, TOPIC, "push") is False
    assert levels.is_cell_on({}, DEFAULT_ON, "push") is True


def test_agreements_are_spelt_as_they_are_judged() -> None:
    """A letter for master switch and channel; then topic, topic on channel, flags."""
    assert set(levels.spell_agreements("promotional", with_topic=False)) == {
        "-s",
        "s-",
        "ss",
    }
    spelt = levels.spell_agreements("promotional", with_topic=True)
    for one, verdict in (
        ("------a", False),
        ("----d-a", True),
        ("----dta", False),
        ("--s---a", True),
        ("--s---" + "-", False),
        ("u-s---a", False),
        ("-us---a", False),
        ("--p-d-a", False),
        ("--su--a", False),
        ("---s--a", True),
    ):
        assert (one in spelt) is verdict, one
    own = levels.spell_agreements("", with_topic=True)
    assert ("u----t-" in own, "--u--ta" in own, "u---d-a" in own) == (
        True,
        False,
        False,
    )
