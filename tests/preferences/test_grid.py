from __future__ import annotations

from preferences.consent import Choice, record_choices
from preferences.grid import read_grid
from tests.preferences.conftest import AT


def read_on(grid):
    return {name for name, switch in grid.switches.items() if switch.is_on}


def test_a_new_contact_sees_channels_open_and_only_service_on(contact, center):
    grid = read_grid(contact, center)
    assert read_on(grid) == {
        "channel:push",
        "channel:email",
        "channel:sms",
        "topic:order-updates",
        "topic:order-updates:push",
        "topic:order-updates:email",
        "topic:order-updates:sms",
    }
    assert grid.is_untouched is True


def test_it_takes_two_queries(contact, center, django_assert_num_queries):
    with django_assert_num_queries(2):
        read_grid(contact, center)


def test_a_hidden_topic_is_not_shown(contact, center):
    center.topics.filter(key="promotions").update(is_active=False)
    names = [row.topic.key for row in read_grid(contact, center).topics]
    assert names == ["order-updates", "recommendations", "new-content", "back-in-stock"]


def test_a_channel_that_was_refused_shows_off_and_keeps_its_topics(contact, center):
    record_choices(
        contact,
        center=center,
        changes=[Choice(topic_key="promotions"), Choice("push", subscribed=False)],
        at=AT,
        actor="self",
        source="page",
    )
    on = read_on(read_grid(contact, center))
    assert "channel:push" not in on
    assert "topic:promotions:push" in on
    assert "master" in on
