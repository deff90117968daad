"""PostHog's wire: bytes → the same items that Segment's calls become. Pure.

A `distinct_id` is the person's external id, unless the event says that it stands for
somebody not identified. Names that begin with `$` are PostHog's own: pages and
screens get our names, what describes the client goes to the context, and the words
about the person become traits.
"""

from __future__ import annotations

from datetime import datetime
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
    Fault,
    Limits,
    check_utf8,
    find_object_fault,
    parse_leniently,
)
from crm.events.schema import (
    MAX_MESSAGE_ID,
    MAX_NAME,
    Item,
    check_text,
    parse_timestamp,
    read_id,
)

# Events that only say something about the person.
PROFILE_EVENTS = frozenset({"$identify", "$set", "$set_once"})
NAMES = {
    "$pageview": "Page Viewed",
    "$screen": "Screen Viewed",
    "$groupidentify": "$group",
}
# Properties of pages and screens, by the names that Segment's calls give them.
PAGE_KEYS = {
    "$current_url": "url",
    "$pathname": "path",
    "$referrer": "referrer",
    "$screen_name": "name",
    "$title": "title",
}
# Read for what they mean, and never stored: one of them is the key.
READ_KEYS = frozenset(
    {"token", "distinct_id", "$set", "$set_once", "$unset", "$anon_distinct_id"}
)
# Its `alias` is the new id; everybody else's is the previous one.
NEW_IS_ALIAS = "posthog-python"


class WireEvent(msgspec.Struct):
    event: str | None = None
    distinct_id: str | int | None = None
    properties: dict[str, Any] | None = None
    timestamp: str | None = None
    uuid: str | None = None
    said: dict[str, Any] | None = msgspec.field(default=None, name="$set")
    said_once: dict[str, Any] | None = msgspec.field(default=None, name="$set_once")
    api_key: str | None = None
    token: str | None = None
    batch: msgspec.Raw | None = None


_decode_event = msgspec.json.Decoder(WireEvent).decode


def parse_capture(
    body: bytes, *, received_at: datetime, limits: Limits
) -> ParsedBatch[Item]:
    """What one request says: `{api_key, batch: […]}`, or a single event.

    A bad event in a batch is rejected alone, a single one refuses the request.
    """

    def read_call(raw: Any, index: int, _shared: dict[str, Any]) -> Item:
        return parse_event(raw, index, at=received_at, limits=limits)

    check_utf8(body)
    if holds_batch(body):
        return read_batch(body, limits, read_call)
    try:
        item = read_call(body, 0, {})
    except ItemRefused as refused:
        status = 413 if refused.fault.code == "event_too_large" else 400
        raise BodyRefused(status, refused.fault) from refused
    wire = _decode_event(body)
    key = wire.api_key or wire.token or (wire.properties or {}).get("token")
    return ParsedBatch([item], [], key if isinstance(key, str) else "")


def holds_batch(body: bytes) -> bool:
    """Whether this is a batch, be it one that cannot be read."""
    try:
        return _decode_event(body).batch is not None
    except RecursionError:
        return False
    except msgspec.DecodeError:
        whole = parse_leniently(body)
        return isinstance(whole, dict) and "batch" in whole


def parse_event(raw: Any, index: int, *, at: datetime, limits: Limits) -> Item:
    """One event, or ItemRefused with its fault."""
    wire = decode_call(raw, limits, _decode_event)
    properties = wire.properties or {}
    check_objects(wire)
    event, who = read_event_name(wire), read_distinct_id(wire)
    kind, user_id, anonymous_id, previous_id = read_people(event, who, properties)
    occurred_at, skewed = at, False
    if wire.timestamp is not None:
        occurred_at, skewed = parse_timestamp(wire.timestamp, at)
    return Item(
        index=index,
        kind=kind,
        name="" if kind in ("identify", "alias") else NAMES.get(event, event),
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id=previous_id,
        message_id=check_text(wire.uuid or "", "uuid", MAX_MESSAGE_ID),
        occurred_at=occurred_at,
        clock_skewed=skewed,
        properties=read_event_properties(event, properties),
        traits=read_person(wire, "$set"),
        context=read_context(properties),
        traits_once=read_person(wire, "$set_once"),
    )


def read_event_name(wire: WireEvent) -> str:
    event = check_text((wire.event or "").strip(), "event", MAX_NAME)
    if not event:
        refuse("required", "Needs the event's name.", "event")
    return event


def read_distinct_id(wire: WireEvent) -> str:
    """Beside the properties, as servers say it, or among them, as browsers do."""
    who = read_id(wire.distinct_id, "distinct_id")
    if not who and wire.distinct_id is None:
        who = read_text_id((wire.properties or {}).get("distinct_id"), "distinct_id")
    if not who:
        refuse("required", "Needs distinct_id.", "distinct_id")
    return who


def check_objects(wire: WireEvent) -> None:
    """Nothing that the database chokes on; the person's words are objects."""
    parts = {
        "properties": wire.properties,
        "$set": wire.said,
        "$set_once": wire.said_once,
    }
    for path, value in parts.items():
        if value and (fault := find_object_fault(value, 2)):
            raise ItemRefused(fault.under(path))
    for key in ("$set", "$set_once"):
        if not isinstance((wire.properties or {}).get(key), dict | None):
            fault = Fault("invalid_type", "Expected an object.", f"properties.{key}")
            raise ItemRefused(fault)


def read_people(
    event: str, who: str, properties: dict[str, Any]
) -> tuple[str, str, str, str]:
    """(kind, user id, anonymous id, previous id) of an event."""
    if event == "$create_alias":
        other = read_text_id(properties.get("alias"), "alias")
        if not other:
            refuse("required", "An alias needs the other id.", "properties.alias")
        if other == who:
            refuse(
                "same_id", "An id can not be an alias of itself.", "properties.alias"
            )
        if properties.get("$lib") == NEW_IS_ALIAS:
            return "alias", other, "", who
        return "alias", who, "", other
    kind = "identify" if event in PROFILE_EVENTS else "track"
    if event == "$groupidentify":
        kind = "group"
    if is_unidentified(event, who, properties):
        return kind, "", who, ""
    before = read_text_id(properties.get("$anon_distinct_id"), "$anon_distinct_id")
    return kind, who, before if event == "$identify" else "", ""


def is_unidentified(event: str, who: str, properties: dict[str, Any]) -> bool:
    """Whether the event says that its `distinct_id` is no known person's."""
    if event == "$groupidentify":
        group = f"${properties.get('$group_type')}_{properties.get('$group_key')}"
        return who == group
    return event != "$identify" and (
        properties.get("$process_person_profile") is False
        or properties.get("$is_identified") is False
    )


def read_text_id(value: Any, key: str) -> str:
    """An id among the properties, '' where there is none."""
    if value is not None and type(value) not in (str, int):
        message = "Expected a text or a whole number."
        refuse("invalid_type", message, f"properties.{key}")
    return read_id(value, f"properties.{key}")


def read_event_properties(event: str, properties: dict[str, Any]) -> dict[str, Any]:
    """What the event itself says, without PostHog's own words."""
    if event == "$groupidentify":
        group = read_text_id(properties.get("$group_key"), "$group_key")
        if not group:
            refuse("required", "A group needs its key.", "properties.$group_key")
        return {
            "group_id": group,
            "group_type": properties.get("$group_type"),
            "traits": properties.get("$group_set") or {},
        }
    return {
        PAGE_KEYS.get(key, key): value
        for key, value in properties.items()
        if key in PAGE_KEYS or not (key.startswith("$") or key in READ_KEYS)
    }


def read_context(properties: dict[str, Any]) -> dict[str, Any]:
    """PostHog's words about the client: library, browser, session."""
    return {
        key: value
        for key, value in properties.items()
        if key.startswith("$") and key not in PAGE_KEYS and key not in READ_KEYS
    }


def read_person(wire: WireEvent, key: str) -> dict[str, Any]:
    """Traits beside the properties and among them; a name in $unset goes."""
    properties = wire.properties or {}
    among = properties.get(key) or {}
    if key == "$set_once":
        return {**among, **(wire.said_once or {})}
    unset = properties.get("$unset")
    gone = (
        [name for name in unset if isinstance(name, str)] if type(unset) is list else ()
    )
    return {**dict.fromkeys(gone), **among, **(wire.said or {})}
