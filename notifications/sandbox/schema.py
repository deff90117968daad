"""What FCM v1 accepts, as strict types: an unknown or mistyped field is refused.

Field names are those of the proto, as `firebase-admin` writes them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

# Google measures the payload, not the request around it.
PAYLOAD_MAX_BYTES = 4_096
BAD_TOKEN = "The registration token is not a valid FCM registration token"  # noqa: S105
RESERVED_KEY = re.compile(r"from$|message_type$|gcm($|\.)|google")
# Tokens and installation ids have one alphabet; these are no addresses at all.
ADDRESS = re.compile(r"[A-Za-z0-9_\-:.]{8,4096}", re.ASCII)
FIELD_PATH = re.compile(r"(.*) - at `(key in )?\$\.?(.*)`$", re.DOTALL)

Duration = Annotated[str, Meta(pattern=r"^\d{1,7}(\.\d{1,9})?s$")]
Label = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9\-_.~%]{1,50}$")]
SecureUrl = Annotated[str, Meta(pattern=r"^https://")]


class Strict(Struct, forbid_unknown_fields=True, gc=False):
    """No field beyond the named ones."""


class Notification(Strict):
    title: str = ""
    body: str = ""
    image: str = ""


class Options(Strict):
    analytics_label: Label | None = None


class AppleOptions(Strict):
    analytics_label: Label | None = None
    image: str = ""


class WebOptions(Strict):
    analytics_label: Label | None = None
    link: SecureUrl | None = None


class AndroidNotification(Strict):
    title: str = ""
    body: str = ""
    icon: str = ""
    color: Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None
    sound: str = ""
    tag: str = ""
    click_action: str = ""
    body_loc_key: str = ""
    body_loc_args: list[str] = []
    title_loc_key: str = ""
    title_loc_args: list[str] = []
    channel_id: str = ""
    ticker: str = ""
    sticky: bool = False
    event_time: str = ""
    local_only: bool = False
    notification_priority: str = ""
    default_sound: bool = False
    default_vibrate_timings: bool = False
    default_light_settings: bool = False
    vibrate_timings: list[Duration] = []
    visibility: str = ""
    notification_count: int | None = None
    light_settings: dict[str, Any] = {}
    image: str = ""
    proxy: str = ""


class Android(Strict):
    collapse_key: str = ""
    priority: Annotated[str, Meta(pattern=r"^(?i:high|normal)$")] | None = None
    ttl: Duration | None = None
    restricted_package_name: str = ""
    data: dict[str, str] = {}
    notification: AndroidNotification | None = None
    fcm_options: Options | None = None
    direct_boot_ok: bool = False
    bandwidth_constrained_ok: bool = False
    restricted_satellite_ok: bool = False


class Webpush(Strict):
    headers: dict[str, str] = {}
    data: dict[str, str] = {}
    notification: dict[str, Any] = {}
    fcm_options: WebOptions | None = None


class Apns(Strict):
    headers: dict[str, str] = {}
    payload: dict[str, Any] = {}
    fcm_options: AppleOptions | None = None
    live_activity_token: str = ""


class Message(Strict):
    data: dict[str, str] = {}
    notification: Notification | None = None
    android: Android | None = None
    webpush: Webpush | None = None
    apns: Apns | None = None
    fcm_options: Options | None = None
    token: str | None = None
    fid: str | None = None
    topic: str | None = None
    condition: str | None = None


class SendRequest(Strict):
    message: Message
    validate_only: bool = False


class SchemaError(Exception):
    """A request that Google would refuse: the field, and what is wrong with it."""

    def __init__(self, field: str, description: str, *, address: bool = False) -> None:
        super().__init__(description)
        self.field = field
        self.description = description
        # The address is at fault: Google names no field then.
        self.address = address


_decoder = msgspec.json.Decoder(SendRequest)


def read_request(body: bytes) -> SendRequest:
    """The request, or SchemaError naming the first field at fault."""
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _name_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SchemaError("", f"Invalid JSON payload received. {error}") from None
    _check_message(request.message)
    return request


def _name_field(text: str) -> SchemaError:
    match = FIELD_PATH.fullmatch(text)
    if match is None:
        return SchemaError("message", text)
    return SchemaError(match[3], f"Invalid value at '{match[3]}': {match[1]}")


def _check_message(message: Message) -> None:
    named = (message.token, message.fid, message.topic, message.condition)
    if sum(address is not None for address in named) != 1:
        raise SchemaError(
            "message", "Exactly one of token, fid, topic or condition must be set."
        )
    address = message.token if message.fid is None else message.fid
    if address is not None and not ADDRESS.fullmatch(address):
        raise SchemaError("message.token", BAD_TOKEN, address=True)
    size = 0
    for key, value in message.data.items():
        if RESERVED_KEY.match(key):
            raise SchemaError("message.data", f"Invalid data payload key: {key}")
        size += len(key.encode()) + len(value.encode())
    shown = message.notification
    if shown is not None:
        size += sum(len(t.encode()) for t in (shown.title, shown.body, shown.image))
    if size > PAYLOAD_MAX_BYTES:
        raise SchemaError("message", f"Message is too big: {size} bytes.")
    _check_apple(message.apns)


def _check_apple(apns: Apns | None) -> None:
    if apns is None:
        return
    # Headers alone are legal: Google makes the aps of the notification then.
    if apns.payload and "aps" not in apns.payload:
        raise SchemaError("message.apns.payload", "Invalid APNs payload: no aps.")
    if len(apns.headers.get("apns-collapse-id", "").encode()) > 64:
        raise SchemaError("message.apns.headers", "apns-collapse-id: over 64 bytes.")
