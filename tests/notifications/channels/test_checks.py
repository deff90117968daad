"""Wrong settings of the channels are found before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from notifications.channels.checks import check_channel_settings


@pytest.mark.parametrize(
    ("_case", "changes", "ids"),
    [
        ("the defaults", {}, []),
        ("foreign endpoint", {"FCM_ENDPOINT": "https://evil.example"}, ["E101"]),
        ("foreign OAuth", {"FCM_TOKEN_ENDPOINT": "http://10.0.0.1"}, ["E101"]),
        ("missing bundle", {"FCM_CA_BUNDLE": "/none/ca.pem"}, ["E102"]),
        ("sandbox elsewhere", {"SANDBOX_URL": "http://10.0.0.1"}, ["E103"]),
        ("sandbox off", {"SANDBOX": False, "SANDBOX_URL": "http://10.0.0.1"}, []),
        ("sandbox without debug", {"DEBUG": False}, ["W101"]),
    ],
)
def test_each_fault_has_its_id(
    _case: str, changes: dict[str, Any], ids: list[str], settings: Settings
) -> None:
    sane = {
        "DEBUG": True,
        "SANDBOX": True,
        "SANDBOX_URL": "http://127.0.0.1:8010",
        "FCM_ENDPOINT": "https://fcm.googleapis.com",
        "FCM_TOKEN_ENDPOINT": "https://oauth2.googleapis.com/token",
        "FCM_CA_BUNDLE": "",
    }
    for name, value in (sane | changes).items():
        setattr(settings, name, value)
    found = [str(message.id) for message in check_channel_settings()]
    assert found == [f"notifications.{number}" for number in ids]
