"""Where credentials and messages may go: Google's own addresses, or loopback."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from notifications.channels.base import ChannelConfigError

FCM_ENDPOINT = "https://fcm.googleapis.com"
TOKEN_ENDPOINT = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


def is_loopback(url: str) -> bool:
    """Whether this URL names this machine and nothing else."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or "@" in parts.netloc:
            return False
        if parts.hostname == "localhost":
            return True
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def check_fcm_endpoint(url: str) -> str:
    """The base URL of FCM, refused unless it is Google's or loopback."""
    base = url.rstrip("/")
    if base == FCM_ENDPOINT or is_loopback(base):
        return base
    raise ChannelConfigError(
        f"FCM_ENDPOINT must be {FCM_ENDPOINT} or a loopback address, not {base!r}"
    )


def check_token_endpoint(url: str) -> str:
    """The OAuth URL, refused unless it is Google's or loopback."""
    if url == TOKEN_ENDPOINT or is_loopback(url):
        return url
    raise ChannelConfigError(
        f"FCM_TOKEN_ENDPOINT must be {TOKEN_ENDPOINT} or a loopback address,"
        f" not {url!r}"
    )
