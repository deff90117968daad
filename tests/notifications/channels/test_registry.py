"""Channels by sender: made once, made anew with new credentials, refused by rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from notifications.channels import registry
from notifications.channels.base import ChannelConfigError, Outcome
from notifications.channels.registry import (
    SenderFacts,
    check_sender,
    open_push_channel,
)
from tests.notifications.channels.conftest import make_push
from tests.notifications.channels.fault_server import FaultServer
from tests.notifications.sandbox.sandbox_process import run_sandbox

SANDBOX = SenderFacts(id="s1", kind="sandbox")


@pytest.fixture(autouse=True)
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_channels", {})


def test_a_push_reaches_the_sandbox_through_its_sender(
    settings: Settings, tmp_path: Path
) -> None:
    with run_sandbox(tmp_path / "log") as sandbox:
        settings.SANDBOX, settings.SANDBOX_URL = True, sandbox.url
        channel = open_push_channel(SANDBOX)
        [(_index, result)] = list(channel.send([make_push()], deadline_s=5))
        assert result.outcome is Outcome.SENT
        assert result.provider_id.encode() in sandbox.log.read_bytes()


def test_the_sandbox_is_refused_where_it_is_off_or_elsewhere(
    settings: Settings,
) -> None:
    settings.SANDBOX = False
    with pytest.raises(ChannelConfigError, match="SANDBOX=1"):
        open_push_channel(SANDBOX)
    settings.SANDBOX, settings.SANDBOX_URL = True, "http://10.0.0.1"
    with pytest.raises(ChannelConfigError, match="loopback"):
        open_push_channel(SANDBOX)


def test_one_channel_per_sender_until_its_credentials_change(
    settings: Settings, service_account: dict[str, str]
) -> None:
    sender = SenderFacts(id="s2", kind="fcm", version="1", credentials=service_account)
    first = open_push_channel(sender)
    assert open_push_channel(sender) is first
    assert open_push_channel(replace(sender, version="2")) is not first
    assert "PRIVATE KEY" not in repr(sender)


def test_an_fcm_sender_goes_where_the_settings_say(
    settings: Settings, service_account: dict[str, str], server: FaultServer
) -> None:
    settings.FCM_ENDPOINT = server.url
    settings.FCM_TOKEN_ENDPOINT = f"{server.url}/token"
    sender = SenderFacts(id="s3", kind="fcm", credentials=service_account)
    [(_i, result)] = list(open_push_channel(sender).send([make_push()], deadline_s=5))
    assert result.outcome is Outcome.SENT
    assert len(server.posts) == len(server.token_posts) == 1


def test_checking_a_sender_connects_to_nothing(
    settings: Settings, service_account: dict[str, str], server: FaultServer
) -> None:
    settings.FCM_ENDPOINT = server.url
    check_sender(SenderFacts(id="s4", kind="fcm", credentials=service_account))
    with pytest.raises(ChannelConfigError):
        check_sender(SenderFacts(id="s4", kind="fcm", credentials={}))
    with pytest.raises(ChannelConfigError, match="no channel named 'fax'"):
        check_sender(SenderFacts(id="s4", kind="fax"))
    assert server.connections == 0
