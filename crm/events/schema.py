"""The wire shapes of Segment's calls: bytes → items and rejections.

Pure. `envelope` opens batches and lists what is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crm.events.envelope import (
    ItemRefused,
    ParsedBatch,
    decode_call,
    read_batch,
    refuse,
)
from crm.events.limits import (
    BodyRefused,
    Limits,
    check_utf8,
    find_fault,
    find_object_fault,
)

KINDS = frozenset({"identify", "track", "page", "screen", "group", "alias"})
# Calls whose event name the wire does not carry. One constant name for all pages
# keeps the vocabulary small; the page's own name is in the properties.
FIXED_NAMES = {"page": "Page Viewed", "screen": "Screen Viewed", "group": "$group"}
MAX_ID = 255
MAX_MESSAGE_ID = 100
MAX_NAME = 200
# A clock may run ahead this much; what is later is cut to it and flagged.
MAX_AHEAD = timedelta(minutes=5)
YEARS = range(1970, 2101)


class Item(msgspec.Struct, frozen=True):
    """One accepted call. (A Struct, not a dataclass: built 5 times faster.)

    `message_id` is '' where the caller gave none: it can not be a repeat.
    """

    index: int
    kind: str
    # The event's name; '' for identify and alias, which are no events.
    name: str
    user_id: str
    anonymous_id: str
    # alias: the id that leads to user_id from now on.
    previous_id: str
    message_id: str
    occurred_at: datetime
    clock_skewed: bool
    properties: dict[str, Any]
    traits: dict[str, Any]
    context: dict[str, Any]
    # Said only in case nothing was said before (PostHog's $set_once).
    traits_once: dict[str, Any] = {}


class WireItem(msgspec.Struct, rename="camel"):
    type: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    message_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    timestamp: str | None = None
    # The client's own clock, where no `timestamp` is set beside it.
    original_timestamp: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    write_key: str | None = None


_decode_item = msgspec.json.Decoder(WireItem).decode


def parse_batch(
    body: bytes, *, received_at: datetime, limits: Limits
) -> ParsedBatch[Item]:
    """Items and rejections of a `/v1/batch` body (already unpacked)."""

    def read_call(raw: Any, index: int, shared: dict[str, Any]) -> Item:
        return parse_item(raw, index, shared=shared, at=received_at, limits=limits)

    return read_batch(body, limits, read_call)


def parse_single(
    body: bytes, kind: str, *, received_at: datetime, limits: Limits
) -> tuple[Item, str]:
    """The item of a `/v1/<kind>` body and the write key inside it, if any."""
    check_utf8(body)
    try:
        item = parse_item(body, shared={}, at=received_at, limits=limits, kind=kind)
    except ItemRefused as refused:
        status = 413 if refused.fault.code == "event_too_large" else 400
        raise BodyRefused(status, refused.fault) from refused
    return item, find_write_key(body)


def find_write_key(body: bytes) -> str:
    """`writeKey` of a body, '' where there is none or the body is no object."""
    try:
        return _decode_item(body).write_key or ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def parse_item(
    raw: Any,
    index: int = 0,
    *,
    shared: dict[str, Any],
    at: datetime,
    limits: Limits,
    kind: str = "",
) -> Item:
    """One item, or ItemRefused with its fault."""
    wire = decode_call(raw, limits, _decode_item)
    kind = check_kind(kind or wire.type or "")
    check_parts(wire)
    occurred_at, skewed = read_time(wire, at)
    context = {**shared, **(wire.context or {})}
    item = Item(
        index=index,
        kind=kind,
        name=read_name(kind, wire),
        user_id=read_id(wire.user_id, "userId"),
        anonymous_id=read_id(wire.anonymous_id, "anonymousId"),
        previous_id=read_id(wire.previous_id, "previousId"),
        message_id=read_id(wire.message_id, "messageId", MAX_MESSAGE_ID),
        occurred_at=occurred_at,
        clock_skewed=skewed,
        properties=read_properties(kind, wire),
        traits=read_traits(kind, wire, context),
        context=context,
    )
    check_identity(item)
    return item


def check_parts(wire: WireItem) -> None:
    if wire.properties and (fault := find_object_fault(wire.properties, 2)):
        raise ItemRefused(fault.under("properties"))
    if wire.traits and (fault := find_object_fault(wire.traits, 2)):
        raise ItemRefused(fault.under("traits"))
    if wire.context and (fault := find_object_fault(wire.context, 2)):
        raise ItemRefused(fault.under("context"))


def check_kind(kind: str) -> str:
    if kind not in KINDS:
        refuse("unknown_type", f"Not one of {', '.join(sorted(KINDS))}.", "type")
    return kind


def read_name(kind: str, wire: WireItem) -> str:
    if kind in FIXED_NAMES:
        return FIXED_NAMES[kind]
    if kind != "track":
        return ""
    name = (wire.event or "").strip()
    if not name:
        refuse("required", "A track call needs the event's name.", "event")
    return check_text(name, "event", MAX_NAME)


def read_properties(kind: str, wire: WireItem) -> dict[str, Any]:
    """Properties, with what page, screen and group calls say outside of them."""
    properties = wire.properties or {}
    if kind == "track":
        return properties
    if kind == "group":
        group_id = read_id(wire.group_id, "groupId")
        if not group_id:
            refuse("required", "A group call needs groupId.", "groupId")
        return {"group_id": group_id, "traits": wire.traits or {}}
    extra = {"name": wire.name, "category": wire.category}
    said = {key: value for key, value in extra.items() if value}
    if said and (fault := find_fault(said)):
        raise ItemRefused(fault)
    return {**said, **properties} if said else properties


def read_traits(
    kind: str, wire: WireItem, context: Mapping[str, Any]
) -> dict[str, Any]:
    """What an identify says, also where its traits stand in the context."""
    if kind == "group":
        return {}
    told = wire.traits or {}
    beside = context.get("traits") if kind == "identify" else None
    return {**beside, **told} if isinstance(beside, dict) else told


def read_id(value: str | int | None, path: str, longest: int = MAX_ID) -> str:
    """Ids may come as numbers; they are kept as text."""
    if value is None:
        return ""
    text = value.strip() if type(value) is str else str(value)
    return check_text(text, path, longest)


def check_text(text: str, path: str, longest: int) -> str:
    if len(text) > longest:
        refuse("too_long", f"Longer than {longest} characters.", path)
    if "\x00" in text:
        refuse("null_character", "Null characters are not allowed.", path)
    return text


def check_identity(item: Item) -> None:
    if item.kind == "alias":
        if not item.previous_id or not item.user_id:
            missing = "userId" if item.previous_id else "previousId"
            refuse("required", "An alias call needs previousId and userId.", missing)
        if item.previous_id == item.user_id:
            refuse("same_id", "An id can not be an alias of itself.", "previousId")
    elif not item.user_id and not item.anonymous_id:
        refuse("required", "Needs userId or anonymousId.", "userId")


def read_time(wire: WireItem, received_at: datetime) -> tuple[datetime, bool]:
    """When it happened; a client that says nothing means now."""
    if wire.timestamp is not None:
        return parse_timestamp(wire.timestamp, received_at)
    if wire.original_timestamp is not None:
        return parse_timestamp(
            wire.original_timestamp, received_at, "originalTimestamp"
        )
    return received_at, False


def parse_timestamp(
    text: str, received_at: datetime, path: str = "timestamp"
) -> tuple[datetime, bool]:
    """The client's time in UTC, and whether it was cut because it ran ahead.

    ISO 8601; without an offset it is UTC.
    """
    try:
        value = datetime.fromisoformat(text)
        in_range = value.year in YEARS and "T24" not in text and " 24" not in text
        value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        in_range = False
    if not in_range:
        message = f"Not an ISO 8601 time between {YEARS[0]} and {YEARS[-1]}."
        refuse("invalid_timestamp", message, path)
    latest = received_at + MAX_AHEAD
    return (latest, True) if value > latest else (value, False)
