"""Credentials and messages go to Google or to this machine, nowhere else."""

from __future__ import annotations

import pytest

from notifications.channels.base import ChannelConfigError
from notifications.channels.endpoints import (
    check_fcm_endpoint,
    check_token_endpoint,
    is_loopback,
)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8010",
        "http://127.8.9.1/token",
        "https://localhost:1",
        "http://[::1]:80/x",
    ],
)
def test_loopback_is_allowed(url: str) -> None:
    assert is_loopback(url)
    assert check_fcm_endpoint(url) == url
    assert check_token_endpoint(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://fcm.googleapis.com.evil.example",
        "http://fcm.googleapis.com",
        "https://fcm.googleapis.com@evil.example",
        "http://127.0.0.1@evil.example",
        "http://localhost:x@127.0.0.1",
        "http://127.0.0.1.nip.io",
        "http://localhost.evil.example",
        "http://169.254.169.254",
        "http://0.0.0.0",
        "http://[::ffff:8.8.8.8]",
        "http://2130706433",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "//127.0.0.1",
        "http://[::1",
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(ChannelConfigError):
        check_fcm_endpoint(url)
    with pytest.raises(ChannelConfigError):
        check_token_endpoint(url)


def test_googles_own_addresses_are_allowed() -> None:
    assert check_fcm_endpoint("https://fcm.googleapis.com/")
    assert check_token_endpoint("https://oauth2.googleapis.com/token")
    with pytest.raises(ChannelConfigError):
        check_token_endpoint("https://oauth2.googleapis.com/token/../x")
