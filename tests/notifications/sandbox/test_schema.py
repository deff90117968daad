"""What the SDK makes of our plainest messages, the sandbox takes."""

from __future__ import annotations

import pytest

from notifications.channels.base import SendResult
from notifications.channels.fcm import prepare_messages
from notifications.sandbox.schema import read_request
from tests.notifications.channels.conftest import make_push


@pytest.mark.parametrize("platform", ["android", "ios", "web"])
def test_a_message_of_a_title_alone_is_taken_on_every_platform(platform: str) -> None:
    push = make_push(platform=platform, title="Hello", body="")

    [prepared] = prepare_messages([push])

    assert not isinstance(prepared, SendResult)
    request = read_request(prepared.body)
    assert request.message.notification is not None
    assert request.message.notification.title == "Hello"
