from __future__ import annotations

import pytest

from preferences.consent import Choice
from preferences.forms import read_switch_choices
from preferences.grid import build_grid

OFF = {"subscribed": False}


@pytest.fixture
def grid_of(center):
    topics = list(center.topics.shown())
    ids = {topic.key: topic.pk for topic in topics}

    def build(said=None):
        levels = {
            (channel, ids.get(key)): state
            for (channel, key), state in (said or {}).items()
        }
        return build_grid(center, topics=topics, said=levels)

    return build


@pytest.mark.parametrize(
    ("_case", "shown", "posted", "choices"),
    [
        ("nothing changed", {"master"}, {"master"}, []),
        ("a topic", set(), {"topic:promotions"}, [Choice("", "promotions")]),
        (
            "a chip",
            {"topic:promotions:sms"},
            set(),
            [Choice("sms", "promotions", False)],
        ),
        ("a channel", {"channel:push"}, set(), [Choice("push", **OFF)]),
        ("the master off", {"master"}, set(), [Choice(**OFF)]),
        ("no switch of ours", set(), {"topic:x", "channel:fax", ""}, []),
        (
            "master and a topic in one save",
            set(),
            {"master", "topic:promotions"},
            [Choice(), Choice("", "promotions")],
        ),
    ],
)
def test_the_difference_of_shown_and_posted_counts(
    _case, shown, posted, choices, grid_of
):
    assert read_switch_choices(grid_of(), shown=shown, posted=posted) == choices


def test_the_first_enable_all_says_yes_to_each_topic(grid_of):
    choices = read_switch_choices(grid_of(), shown=[], posted=["master"])
    assert choices == [
        Choice(),
        Choice("", "promotions"),
        Choice("", "recommendations"),
        Choice("", "new-content"),
        Choice("", "back-in-stock"),
    ]


def test_a_later_enable_all_brings_back_what_was_chosen(grid_of):
    grid = grid_of({("", "promotions"): "unsubscribed", ("", ""): "unsubscribed"})
    choices = read_switch_choices(grid, shown=[], posted=["master"])
    assert choices == [Choice()]


def test_the_switch_just_clicked_counts_without_a_difference(grid_of):
    choices = read_switch_choices(
        grid_of(), shown=[], posted=[], touched="s-topic-promotions"
    )
    assert choices == [Choice("", "promotions", False)]
