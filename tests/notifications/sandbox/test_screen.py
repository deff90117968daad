"""Cards of the phone screen, made from logged messages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from notifications.sandbox.log import LogEntry
from notifications.sandbox.screen import CardButton, make_card, stack_cards


def make_entry(name: str = "n1", **message: Any) -> LogEntry:
    data = {"delivery_id": "d1", "apropos_token": "signed", "link": "shop://x"}
    facts = {"notification": {"title": "T", "body": "B"}, "data": data, "android": {}}
    return LogEntry(0.0, name, "phone-1", facts | message, 10)


def test_a_card_shows_what_the_device_shows() -> None:
    buttons = json.dumps([{"id": "go", "title": "Go", "link": "shop://go"}])
    data = {"delivery_id": "d1", "apropos_token": "signed", "buttons": buttons}
    card = make_card(make_entry(data=data | {"app_name": "Maple"}))
    assert (card.title, card.body, card.app_name) == ("T", "B", "Maple")
    assert card.buttons == (CardButton("go", "Go", "shop://go"),)
    assert (card.platform, card.token) == ("Android", "signed")
    assert card.arrived_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_events_go_to_this_site_whatever_the_data_says() -> None:
    data = {"delivery_id": "../../admin?x", "apropos_url": "https://evil.example"}
    card = make_card(make_entry(data=data))
    assert card.events_path == "/v1/push/..%2F..%2Fadmin%3Fx/events"


@pytest.mark.parametrize(
    "message",
    [
        {"data": None},
        {"data": {"buttons": "no json"}},
        {"data": {"buttons": '{"a": 1}'}},
        {"data": {"buttons": '[1, {"id": "x"}]'}},
        {"notification": None},
        {"notification": {"image": "javascript:alert(1)"}},
        {"notification": {"image": "//[::1"}},
    ],
)
def test_odd_messages_make_plain_cards(message: dict[str, Any]) -> None:
    card = make_card(make_entry(**message))
    assert (card.buttons, card.image_url) == ((), "")


def test_a_copy_of_one_delivery_replaces_the_first_and_is_counted() -> None:
    cards = stack_cards([make_entry("n2"), make_entry("n1")])
    assert [(card.name, card.copies) for card in cards] == [("n2", 2)]


def test_messages_without_a_tag_stand_apart() -> None:
    cards = stack_cards([make_entry("n2", data={}), make_entry("n1", data={})])
    assert [card.name for card in cards] == ["n2", "n1"]
    assert cards[0].events_path == ""
