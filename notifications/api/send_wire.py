"""Customer.io's App wire: the body of `/v1/send/push` → an order, or the fault. Pure.

Bodies are read whole before anything is looked up; what this product cannot do is
refused by name, never passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from crm.api.customerio_wire import MAX_TOKEN, expect_object, read_seconds
from crm.events.naming import Address, read_identifiers, refuse

MAX_TEMPLATE = 100
MAX_LOCALE = 35
MAX_AHEAD = timedelta(days=90)
# Theirs → ours.
TEXTS = {
    "title": "title",
    "message": "body",
    "image_url": "image_url",
    "link": "link",
    "sound": "sound",
}
# A word, and the only values of it that ask for nothing we cannot do.
UNSUPPORTED: Mapping[str, tuple[Any, str]] = {
    "queue_draft": (False, "There are no drafts of transactional messages."),
    "send_to_unsubscribed": (
        True,
        "Transactional messages ignore the master switch; use a campaign instead.",
    ),
    "custom_payload": (None, "Say title, message and custom_data instead."),
    "custom_device": (None, "Register the device, then name its token in `to`."),
}


class SendCall(msgspec.Struct, frozen=True):
    """One call; `texts` holds our field names, those that were said."""

    address: Address
    template: str | int
    texts: dict[str, Any]
    data: dict[str, Any]
    send_at: datetime | None
    target: str
    locale: str
    keeps_text: bool


def parse_send(body: Mapping[str, Any], at: datetime) -> SendCall:
    for name, (harmless, why) in UNSUPPORTED.items():
        if body.get(name) not in (None, harmless):
            refuse("unsupported", why, name)
    data = read_object(body, "message_data")
    private = body.get("disable_message_retention") or False
    if not isinstance(private, bool):
        message = "Expected true or false."
        refuse("invalid_type", message, "disable_message_retention")
    return SendCall(
        address=read_identifiers(body.get("identifiers"), "identifiers"),
        template=read_template(body.get("transactional_message_id")),
        texts=read_texts(body),
        data=dict(data),
        send_at=read_send_at(body.get("send_at"), at),
        target=read_text(body, "to", MAX_TOKEN).strip() or "all",
        locale=read_text(body, "language", MAX_LOCALE).strip(),
        keeps_text=not private,
    )


def read_template(value: Any) -> str | int:
    path = "transactional_message_id"
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        refuse("invalid_type", "Expected a name or a number.", path)
    if isinstance(value, int):
        return value
    if len(value) > MAX_TEMPLATE:
        refuse("too_long", f"Longer than {MAX_TEMPLATE} characters.", path)
    text = value.strip()
    return int(text) if text.isdecimal() and len(text) < 16 else text


def read_texts(body: Mapping[str, Any]) -> dict[str, Any]:
    texts: dict[str, Any] = {
        ours: read_text(body, theirs)
        for theirs, ours in TEXTS.items()
        if body.get(theirs) is not None
    }
    custom = read_object(body, "custom_data")
    if custom:
        texts["data"] = {
            key: read_value(value, f"custom_data.{key}")
            for key, value in custom.items()
        }
    return texts


def read_object(body: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    value = body.get(path)
    return {} if value is None else expect_object(value, path)


def read_value(value: Any, path: str) -> str:
    """Data of a push is text; numbers and switches are written as JSON has them."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        refuse("invalid_type", "Expected a text, a number or true or false.", path)
    return msgspec.json.encode(value).decode()


def read_text(body: Mapping[str, Any], path: str, longest: int = 0) -> str:
    value = body.get(path)
    if value is None:
        return ""
    if not isinstance(value, str):
        refuse("invalid_type", "Expected a text.", path)
    if longest and len(value) > longest:
        refuse("too_long", f"Longer than {longest} characters.", path)
    return value


def read_send_at(value: Any, at: datetime) -> datetime | None:
    if value is None:
        return None
    # The wire's own cut of clocks that run ahead is not meant here.
    said, _ = read_seconds(value, at + MAX_AHEAD, "send_at")
    if said > at + MAX_AHEAD:
        refuse("invalid", f"More than {MAX_AHEAD.days} days ahead.", "send_at")
    return said
