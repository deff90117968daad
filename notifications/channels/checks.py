"""System checks: half-configured sending stops the start with one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from notifications.channels.base import ChannelConfigError
from notifications.channels.endpoints import (
    check_fcm_endpoint,
    check_token_endpoint,
    is_loopback,
)


def check_channel_settings(**_options: Any) -> list[CheckMessage]:
    """FCM_ENDPOINT, FCM_TOKEN_ENDPOINT, FCM_CA_BUNDLE, SANDBOX and SANDBOX_URL."""
    found: list[CheckMessage] = []
    for check, value in (
        (check_fcm_endpoint, settings.FCM_ENDPOINT),
        (check_token_endpoint, settings.FCM_TOKEN_ENDPOINT),
    ):
        try:
            check(value)
        except ChannelConfigError as error:
            hint = "Unset it to send through Google."
            found.append(Error(str(error), hint=hint, id="notifications.E101"))
    bundle = settings.FCM_CA_BUNDLE
    if bundle and not Path(bundle).is_file():
        text = f"FCM_CA_BUNDLE: there is no file {bundle}"
        hint = "Name a PEM file, or unset it to use certifi's."
        found.append(Error(text, hint=hint, id="notifications.E102"))
    if not settings.SANDBOX:
        return found
    if not is_loopback(settings.SANDBOX_URL):
        text = f"SANDBOX_URL must be a loopback address, not {settings.SANDBOX_URL!r}"
        found.append(Error(text, id="notifications.E103"))
    if not settings.DEBUG:
        text = "The sandbox is on where DEBUG is off: its messages reach no phone."
        hint = "Unset SANDBOX unless this is a rehearsal."
        found.append(Warning(text, hint=hint, id="notifications.W101"))
    return found
