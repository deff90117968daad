"""The wire shapes of Segment's calls: bytes → items and rejections.

Pure. A request that is not JSON, or too large, is refused whole; one bad item
is rejected with its index and path, and the rest is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import msgspec

from crm.events.limits import (
    OUT_OF_RANGE,
    TOO_DEEP,
    BodyRefused,
    Fault,
    Limits,
    check_utf8,
    find_fault,
    find_object_fault,
    parse_leniently,
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


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused item; `path` starts inside the item."""

    index: int
    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ParsedBatch:
    items: Sequence[Item]
    rejected: Sequence[Rejection]
    write_key: str = ""


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


class WireBatch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    context: dict[str, Any] | None = None
    write_key: str | None = None


class _ItemRefused(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


_decode_item = msgspec.json.Decoder(WireItem).decode
_decode_batch = msgspec.json.Decoder(WireBatch).decode


def parse_batch(body: bytes, *, received_at: datetime, limits: Limits) -> ParsedBatch:
    """Items and rejections of a `/v1/batch` body (already unpacked)."""
    check_utf8(body)
    rejected: list[Rejection] = []
    try:
        wire = _decode_batch(body)
        raws: list[Any] = list(enumerate(wire.batch))
    except RecursionError:
        raise BodyRefused(400, TOO_DEEP) from None
    except msgspec.ValidationError as error:
        raise BodyRefused(400, read_type_fault(error)) from error
    except msgspec.DecodeError:
        wire, raws, rejected = rescue_batch(body)
    if len(raws) + len(rejected) > limits.batch_events:
        message = f"More than {limits.batch_events} events in one batch."
        raise BodyRefused(413, Fault("too_many_events", message, "batch"))
    shared = wire.context or {}
    if shared and (fault := find_fault(shared, depth=1)):
        raise BodyRefused(400, fault.under("context"))
    items: list[Item] = []
    for index, raw in raws:
        try:
            item = parse_item(raw, index, shared=shared, at=received_at, limits=limits)
        except _ItemRefused as refused:
            rejected.append(reject_item(index, refused.fault))
        else:
            items.append(item)
    rejected.sort(key=lambda rejection: rejection.index)
    return ParsedBatch(items, rejected, wire.write_key or "")


def parse_single(
    body: bytes, kind: str, *, received_at: datetime, limits: Limits
) -> tuple[Item, str]:
    """The item of a `/v1/<kind>` body and the write key inside it, if any."""
    check_utf8(body)
    try:
        item = parse_item(body, shared={}, at=received_at, limits=limits, kind=kind)
    except _ItemRefused as refused:
        status = 413 if refused.fault.code == "event_too_large" else 400
        raise BodyRefused(status, refused.fault) from refused
    return item, find_write_key(body)


def find_write_key(body: bytes) -> str:
    """`writeKey` of a body, '' where there is none or the body is no object."""
    try:
        return _decode_item(body).write_key or ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def rescue_batch(body: bytes) -> tuple[WireBatch, list[Any], list[Rejection]]:
    """Read a batch the fast decoder gave up on because of one item in it.

    Lone surrogates and numbers out of range cost their item; what is no JSON at
    all (NaN, a broken escape) costs the batch.
    """
    whole = parse_leniently(body)
    batch = whole.get("batch") if isinstance(whole, dict) else None
    if not isinstance(batch, list):
        raise BodyRefused(400, Fault("invalid", "Expected a list.", "batch"))
    rejected: list[Rejection] = []
    raws: list[Any] = []
    for index, item in enumerate(batch):
        fault = find_fault(item)
        if fault is None:
            raws.append((index, msgspec.json.encode(item)))
        elif fault.code == "not_a_number":
            raise BodyRefused(400, fault.under(f"batch[{index}]"))
        else:
            rejected.append(reject_item(index, fault))
    rest = {key: value for key, value in whole.items() if key != "batch"}
    if fault := find_fault(rest):
        raise BodyRefused(400, fault)
    try:
        wire = msgspec.convert({**rest, "batch": []}, WireBatch)
    except msgspec.ValidationError as error:
        raise BodyRefused(400, read_type_fault(error)) from error
    return wire, raws, rejected


def reject_item(index: int, fault: Fault) -> Rejection:
    return Rejection(index, fault.path, fault.code, fault.message)


def parse_item(
    raw: Any,
    index: int = 0,
    *,
    shared: dict[str, Any],
    at: datetime,
    limits: Limits,
    kind: str = "",
) -> Item:
    """One item, or _ItemRefused with its fault."""
    wire = decode_item(raw, limits)
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
        raise _ItemRefused(fault.under("properties"))
    if wire.traits and (fault := find_object_fault(wire.traits, 2)):
        raise _ItemRefused(fault.under("traits"))
    if wire.context and (fault := find_object_fault(wire.context, 2)):
        raise _ItemRefused(fault.under("context"))


def check_kind(kind: str) -> str:
    if kind not in KINDS:
        refuse("unknown_type", f"Not one of {', '.join(sorted(KINDS))}.", "type")
    return kind


def decode_item(raw: Any, limits: Limits) -> WireItem:
    if memoryview(raw).nbytes > limits.event_bytes:
        refuse("event_too_large", f"Larger than {limits.event_bytes} bytes.")
    try:
        return _decode_item(raw)
    except RecursionError:
        raise _ItemRefused(TOO_DEEP) from None
    except msgspec.ValidationError as error:
        # Out of range reads as a type error without its path: look for it.
        fault = find_lenient_fault(raw) or read_type_fault(error)
        raise _ItemRefused(fault) from error
    except msgspec.DecodeError as error:
        fault = find_lenient_fault(raw) or Fault("invalid_json", str(error))
        raise _ItemRefused(fault) from error


def find_lenient_fault(raw: Any) -> Fault | None:
    try:
        return find_fault(parse_leniently(bytes(raw)))
    except BodyRefused as refused:
        return refused.fault


def read_type_fault(error: msgspec.ValidationError) -> Fault:
    """msgspec says ``Expected `object`, got `str` - at `$.properties` ``."""
    message, _, where = str(error).partition(" - at `$")
    if message.endswith("out of range"):
        return OUT_OF_RANGE
    path = where.rstrip("`").lstrip(".")
    if "missing required field" in message:
        return Fault("required", "This field is required.", message.split("`")[1])
    return Fault("invalid_type", message.replace("`", "").replace(" | null", ""), path)


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
        raise _ItemRefused(fault)
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


def refuse(code: str, message: str, path: str = "") -> NoReturn:
    raise _ItemRefused(Fault(code, message, path))
