"""Which channel a sender uses. Settings are read here, and nowhere below."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from notifications.channels.base import ChannelConfigError, PushChannel
from notifications.channels.endpoints import is_loopback
from notifications.channels.fcm import FcmChannel, FcmRoute
from notifications.sandbox.oauth import make_service_account


class SenderKind(enum.StrEnum):
    """What a sender talks to."""

    FCM = "fcm"
    SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """One sender as the channels need it: plain, decrypted, versioned.

    `version` changes with the credentials, so that a new key opens a new channel.
    """

    id: str
    kind: str
    version: str = ""
    credentials: Mapping[str, Any] = field(default_factory=dict, repr=False)


_channels: dict[str, tuple[str, PushChannel]] = {}
_lock = threading.Lock()


def open_push_channel(sender: SenderFacts) -> PushChannel:
    """The channel of this sender, made once per process and credentials version.

    Raises ChannelConfigError for a sender that must not be used.
    """
    version = f"{sender.kind}:{sender.version}"
    with _lock:
        known_version, channel = _channels.get(sender.id, ("", None))
        if channel is None or known_version != version:
            channel = _find_builder(sender.kind)(sender)
            _channels[sender.id] = (version, channel)
        return channel


def check_sender(sender: SenderFacts) -> None:
    """Raise ChannelConfigError where this sender could not be opened; connects
    to nothing, so a form may ask."""
    _find_builder(sender.kind)(sender)


def _find_builder(kind: str) -> Callable[[SenderFacts], PushChannel]:
    builders: dict[str, Callable[[SenderFacts], PushChannel]] = {
        SenderKind.FCM: build_fcm_channel,
        SenderKind.SANDBOX: build_sandbox_channel,
    }
    if kind not in builders:
        raise ChannelConfigError(f"no channel named {kind!r}")
    return builders[kind]


def build_fcm_channel(sender: SenderFacts) -> PushChannel:
    route = FcmRoute(
        endpoint=settings.FCM_ENDPOINT,
        token_endpoint=settings.FCM_TOKEN_ENDPOINT,
        transport=settings.FCM_TRANSPORT,
        ca_bundle=settings.FCM_CA_BUNDLE,
    )
    return FcmChannel(sender.credentials, route)


def build_sandbox_channel(_sender: SenderFacts) -> PushChannel:
    """The same channel at the sandbox's address, with a key made on the spot."""
    if not settings.SANDBOX:
        raise ChannelConfigError("the sandbox is off here: set SANDBOX=1 to allow it")
    if not is_loopback(settings.SANDBOX_URL):
        raise ChannelConfigError("SANDBOX_URL must be a loopback address")
    route = FcmRoute(
        endpoint=settings.SANDBOX_URL,
        token_endpoint=f"{settings.SANDBOX_URL}/token",
        transport=settings.FCM_TRANSPORT,
    )
    return FcmChannel(make_service_account(settings.SANDBOX_URL), route)
