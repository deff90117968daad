"""Each platform's options, and what is refused before it is posted."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from notifications.channels.base import Button, Outcome, SendResult
from notifications.channels.fcm import prepare_messages
from tests.notifications.channels.conftest import make_push


def encode_push(**changes: Any) -> dict[str, Any]:
    [prepared] = prepare_messages([make_push(**changes)])
    assert not isinstance(prepared, SendResult), prepared.detail
    message: dict[str, Any] = json.loads(prepared.body)["message"]
    return message


def test_android_carries_tag_ttl_priority_and_channel() -> None:
    message = encode_push(
        high_priority=True, channel_id="orders", sound="default", badge=3
    )
    assert message["android"] == {
        "priority": "high",
        "ttl": "3600s",
        "notification": {
            "tag": "delivery-1",
            "channel_id": "orders",
            "sound": "default",
            "notification_count": 3,
        },
    }


def test_ios_carries_collapse_id_expiry_and_room_for_an_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifications.channels.fcm.time.time", lambda: 1_000_000.0)
    message = encode_push(platform="ios", image_url="https://x/i.png", badge=0)
    assert message["apns"] == {
        "headers": {
            "apns-collapse-id": "delivery-1",
            "apns-expiration": "1003600",
            "apns-priority": "5",
        },
        "payload": {"aps": {"badge": 0, "mutable-content": 1}},
        "fcm_options": {"image": "https://x/i.png"},
    }


def test_a_ttl_of_zero_means_now_or_never() -> None:
    message = encode_push(platform="ios", ttl_s=0)
    assert message["apns"]["headers"]["apns-expiration"] == "0"
    assert encode_push(ttl_s=0)["android"]["ttl"] == "0s"
    assert encode_push(ttl_s=-5)["android"]["ttl"] == "0s"
    assert encode_push(ttl_s=10**9)["android"]["ttl"] == "2419200s"


def test_web_carries_ttl_urgency_actions_and_an_https_link() -> None:
    buttons = (Button("go", "Go"), Button("no", "No"))
    link = "https://shop.example/x"
    message = encode_push(platform="web", link=link, buttons=buttons)
    assert message["webpush"] == {
        "headers": {"TTL": "3600", "Urgency": "normal"},
        "notification": {
            "tag": "delivery-1",
            "actions": [
                {"action": "go", "title": "Go"},
                {"action": "no", "title": "No"},
            ],
        },
        "fcm_options": {"link": link},
    }


def test_an_app_link_travels_in_data_alone() -> None:
    message = encode_push(platform="web", link="shop://basket")
    assert "fcm_options" not in message["webpush"]
    assert message["data"]["link"] == "shop://basket"


def test_data_keeps_the_callers_values_and_gets_the_delivery_id() -> None:
    message = encode_push(data={"apropos_token": "t", "link": "mine"}, link="other")
    assert message["data"] == {
        "apropos_token": "t",
        "link": "mine",
        "delivery_id": "delivery-1",
    }


def test_a_fid_is_preferred_and_stands_alone() -> None:
    message = encode_push(fid="installation-1")
    assert message["fid"] == "installation-1"
    assert "token" not in message


def test_the_deprecation_of_tokens_is_silenced_and_nothing_else() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode_push()
        with pytest.raises(DeprecationWarning):
            warnings.warn("other", DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("_case", "changes"),
    [
        ("number in data", {"data": {"n": 1}}),
        ("number as a key", {"data": {1: "n"}}),
        ("reserved from", {"data": {"from": "x"}}),
        ("reserved google", {"data": {"google_x": "x"}}),
        ("reserved gcm", {"data": {"gcm.x": "x"}}),
        ("no address", {"token": "", "fid": ""}),
        ("unknown platform", {"platform": "fridge"}),
        ("odd label", {"analytics_label": "a b"}),
        ("title no text", {"title": 5}),
    ],
)
def test_a_message_that_cannot_be_encoded_is_its_own_result(
    _case: str, changes: dict[str, Any]
) -> None:
    good, bad, other = prepare_messages(
        [make_push(1), make_push(2, **changes), make_push(3)]
    )
    assert isinstance(bad, SendResult)
    assert (bad.outcome, bad.code) == (Outcome.REJECTED, "ENCODING")
    assert bad.detail
    assert not isinstance(good, SendResult)
    assert not isinstance(other, SendResult)
