"""Customer.io's wire for what became of a message: one metric a call. Pure."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from crm.api.customerio_wire import read_seconds
from crm.events.naming import read_id_text, refuse

METRICS: Final = ("delivered", "opened", "clicked")
# Theirs that are no word of a device here.
UNSUPPORTED: Final = {
    "converted": "Conversions are counted from the goal's events.",
    "bounced": "The provider says itself what bounced.",
    "deferred": "The provider says itself what it deferred.",
    "dropped": "The provider says itself what it dropped.",
    "spammed": "Suppress the person instead.",
}


class Metric(msgspec.Struct, frozen=True):
    """`client_id` is the same for every call about one device: once is enough."""

    delivery_id: uuid.UUID
    kind: str
    client_id: str
    at: datetime


def parse_metric(
    body: Mapping[str, Any], at: datetime, *, kind_key: str, device_key: str
) -> Metric:
    kind = body.get(kind_key)
    if isinstance(kind, str) and kind in UNSUPPORTED:
        refuse("unsupported", UNSUPPORTED[kind], kind_key)
    if kind not in METRICS:
        refuse("invalid", f"Not one of {', '.join(METRICS)}.", kind_key)
    said_at, _ = read_seconds(body.get("timestamp"), at, "timestamp")
    device = body.get(device_key)
    if device is not None and not isinstance(device, str | int):
        refuse("invalid_type", "Expected a text.", device_key)
    digest = hashlib.sha256(str(device).encode()).hexdigest()[:32]
    return Metric(
        read_delivery_id(body.get("delivery_id")),
        str(kind),
        "api" if device is None else f"device:{digest}",
        said_at,
    )


def read_delivery_id(value: Any) -> uuid.UUID:
    text = read_id_text(value, "delivery_id")
    try:
        return uuid.UUID(text)
    except ValueError:
        refuse("invalid", "Not the id of a message.", "delivery_id")
