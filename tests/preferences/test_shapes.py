from __future__ import annotations

import pytest

from preferences.consent import Choice
from preferences.grid import build_grid
from preferences.shapes import ShapeError, read_json_choices, render_json_choices


@pytest.fixture
def topics(center):
    return list(center.topics.all())


@pytest.mark.parametrize(
    ("_case", "body", "choices"),
    [
        ("nothing", {}, []),
        ("all off", {"unsubscribed": True}, [Choice(subscribed=False)]),
        (
            "channels",
            {"channels": {"push": True, "email": False}},
            [Choice("push"), Choice("email", subscribed=False)],
        ),
        (
            "topic by key",
            {"topics": {"promotions": False}},
            [Choice(topic_key="promotions", subscribed=False)],
        ),
        (
            "topic by stable id",
            {"topics": {"topic_2": True}},
            [Choice(topic_key="promotions")],
        ),
        (
            "topic on a channel",
            {"topics": {"topic_2": {"subscribed": True, "channels": {"sms": False}}}},
            [Choice(topic_key="promotions"), Choice("sms", "promotions", False)],
        ),
    ],
)
def test_a_body_becomes_choices(_case, body, choices, topics):
    assert read_json_choices(body, topics) == choices


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], ""),
        (None, ""),
        ({"topic": {}}, "topic"),
        ({"unsubscribed": "yes"}, "unsubscribed"),
        ({"unsubscribed": 1}, "unsubscribed"),
        ({"channels": []}, "channels"),
        ({"channels": {"fax": True}}, "channels.fax"),
        ({"channels": {"push": None}}, "channels.push"),
        ({"topics": {"topic_99": True}}, "topics.topic_99"),
        ({"topics": {"promotions": "on"}}, "topics.promotions"),
        ({"topics": {"promotions": {"x": 1}}}, "topics.promotions.x"),
        (
            {"topics": {"promotions": {"channels": {"push": 0}}}},
            "topics.promotions.channels.push",
        ),
    ],
)
def test_a_fault_is_named_by_its_path(body, path, topics):
    with pytest.raises(ShapeError) as error:
        read_json_choices(body, topics)
    assert error.value.path == path


def test_the_answer_carries_customerios_shape(center, topics):
    promotions = center.topics.get(key="promotions")
    said = {("", promotions.pk): "subscribed", ("email", None): "unsubscribed"}
    body = render_json_choices(build_grid(center, topics=topics, said=said))
    assert body["unsubscribed"] is False
    assert body["topics"]["promotions"] == {
        "id": "topic_2",
        "name": "Promotions & Deals",
        "subscribed": True,
        "channels": {"push": True, "email": True, "sms": True},
    }
    assert body["cio_subscription_preferences"] == {
        "topics": {
            "topic_1": True,
            "topic_2": True,
            "topic_3": False,
            "topic_4": False,
            "topic_5": False,
        },
        "channels": {"push": True, "email": False, "sms": True},
    }
