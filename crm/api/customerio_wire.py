"""Customer.io's Track wire, v1: bodies → operations on people. Pure.

Times are seconds since the epoch. An attribute set to null or '' is removed, as
there. What is refused says where: `device.platform`, `primary.id`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crm.events.naming import Address, read_id_text, read_identifiers, refuse
from crm.events.operations import Call, DeviceSeen, Merge, Operation
from crm.events.schema import (
    FIXED_NAMES,
    MAX_AHEAD,
    MAX_MESSAGE_ID,
    MAX_NAME,
    YEARS,
    Item,
)

# Beyond this, a whole number is in milliseconds and not in seconds.
MILLISECONDS_FROM = 100_000_000_000
EVENT_KINDS = {"event": "track", "page": "page", "screen": "screen"}
# Said about the call, not about the person.
RESERVED = frozenset(
    {"id", "cio_id", "anonymous_id", "_timestamp", "_update", "cio_relationships"}
)
PREFERENCES = "cio_subscription_preferences"
LEFT_GROUP = "$group_left"
MAX_TOKEN = 4096
PLATFORMS = {"ios": "ios", "android": "android", "web": "web", "fcm": "android"}
# Words about a device that have a column, or say where it is.
DEVICE_WORDS = frozenset(
    {"id", "token", "platform", "last_used", "attributes", "push_enabled"}
    | {"device_locale", "locale", "time_zone", "timezone", "app_version"}
    | {"device_model", "name"}
)
PERMISSIONS = {True: "granted", False: "denied"}


def build_item(
    kind: str,
    name: str,
    at: datetime,
    *,
    skewed: bool = False,
    message_id: str = "",
    properties: Mapping[str, Any] | None = None,
    traits: Mapping[str, Any] | None = None,
    anonymous_id: str = "",
) -> Item:
    return Item(
        index=0,
        kind=kind,
        name=name,
        user_id="",
        anonymous_id=anonymous_id,
        previous_id="",
        message_id=message_id,
        occurred_at=at,
        clock_skewed=skewed,
        properties=dict(properties or {}),
        traits=dict(traits or {}),
        context={},
    )


def parse_identify(
    address: Address, body: Mapping[str, Any], at: datetime, *, path: str = ""
) -> list[Operation]:
    """A person's attributes, and the groups they belong to."""
    said_at, skewed = read_seconds(body.get("_timestamp"), at, f"{path}_timestamp")
    only_known = read_flag(body.get("_update", False), f"{path}_update")
    new_id = read_optional_id(body, "id", path)
    if address.kind == "id" and new_id not in ("", address.value):
        refuse("conflict", "The address names somebody with another id.", f"{path}id")
    item = build_item(
        "identify", "", said_at, skewed=skewed, traits=read_traits(body, path)
    )
    relations = body.get("cio_relationships")
    return [
        Call(
            address,
            item,
            new_id=new_id,
            anonymous_id=read_optional_id(body, "anonymous_id", path),
            only_known=only_known,
        ),
        *parse_v1_relations(address, relations, at, f"{path}cio_relationships"),
    ]


def read_optional_id(body: Mapping[str, Any], key: str, path: str) -> str:
    value = body.get(key)
    return "" if value is None else read_id_text(value, f"{path}{key}")


def read_traits(body: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The attributes, with the dotted names of subscription preferences folded."""
    traits = {
        key: None if value == "" else value
        for key, value in body.items()
        if key not in RESERVED and not key.startswith(f"{PREFERENCES}.")
    }
    dotted = {key: value for key, value in body.items() if key not in traits}
    preferences = read_preferences(traits.get(PREFERENCES), f"{path}{PREFERENCES}")
    for key, value in dotted.items():
        _, *steps = key.split(".")
        if key.startswith(f"{PREFERENCES}.") and len(steps) == 2:
            part = preferences.setdefault(steps[0], {})
            if isinstance(part, dict):
                part[steps[1]] = value
    if preferences:
        traits[PREFERENCES] = preferences
    return traits


def read_preferences(value: Any, path: str) -> dict[str, Any]:
    """An object, or the JSON text of one, as many send it."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            refuse("invalid_json", "Expected an object, or the JSON of one.", path)
    if value is None:
        return {}
    if not isinstance(value, dict):
        refuse("invalid_type", "Expected an object, or the JSON of one.", path)
    return {
        part: dict(words) if isinstance(words, dict) else words
        for part, words in value.items()
    }


def parse_event(address: Address | None, body: Mapping[str, Any], at: datetime) -> Call:
    """`{"name", "data", "type", "timestamp", "id"}`; `id` makes it known again."""
    kind = body.get("type") or "event"
    if not isinstance(kind, str) or kind not in EVENT_KINDS:
        refuse("invalid", "Not one of event, page, screen.", "type")
    anonymous_id = read_optional_id(body, "anonymous_id", "")
    if address is None and not anonymous_id:
        refuse("required", "An anonymous event needs anonymous_id.", "anonymous_id")
    data = body.get("data")
    item = build_event(kind, body, data, at, data_path="data")
    if address is None:
        item = msgspec.structs.replace(item, anonymous_id=anonymous_id)
    return Call(address, item)


def build_event(
    kind: str, body: Mapping[str, Any], data: Any, at: datetime, *, data_path: str
) -> Item:
    name = read_name(body.get("name"))
    if data is not None and not isinstance(data, dict):
        refuse("invalid_type", "Expected an object.", data_path)
    happened_at, skewed = read_seconds(body.get("timestamp"), at, "timestamp")
    message_id = read_optional_id(body, "id", "")
    if len(message_id) > MAX_MESSAGE_ID:
        refuse("too_long", f"Longer than {MAX_MESSAGE_ID} characters.", "id")
    wire_kind = EVENT_KINDS[kind]
    fixed = FIXED_NAMES.get(wire_kind)
    properties = data or {}
    return build_item(
        wire_kind,
        fixed or name,
        happened_at,
        skewed=skewed,
        message_id=message_id,
        properties={"name": name, **properties} if fixed else properties,
    )


def read_name(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        refuse("invalid_type", "Expected a text.", "name")
    name = (value or "").strip()
    if not name:
        refuse("required", "An event needs a name.", "name")
    if len(name) > MAX_NAME:
        refuse("too_long", f"Longer than {MAX_NAME} characters.", "name")
    return name


def parse_v1_relations(
    address: Address, value: Any, at: datetime, path: str
) -> list[Operation]:
    """`{"action": "add_relationships", "relationships": […]}` of an identify call,
    or the plain list of v2."""
    if value is None:
        return []
    action = "add_relationships"
    if isinstance(value, Mapping):
        action = value.get("action", action)
        value, path = value.get("relationships"), f"{path}.relationships"
    if action not in ("add_relationships", "delete_relationships"):
        message = "Not one of add_relationships, delete_relationships."
        refuse("invalid", message, path.replace(".relationships", ".action"))
    return parse_relations(
        address, value, at, path=path, leaving=action == "delete_relationships"
    )


def parse_relations(
    address: Address, value: Any, at: datetime, *, path: str, leaving: bool
) -> list[Operation]:
    """Each relation to an object is a group call, as Segment's `group` is."""
    if not isinstance(value, list) or not value:
        refuse("invalid_type", "Expected a list of relationships.", path)
    calls: list[Operation] = []
    for index, entry in enumerate(value):
        here = f"{path}[{index}]"
        relation = expect_object(entry, here)
        group = read_object_key(relation.get("identifiers"), f"{here}.identifiers")
        traits = relation.get("relationship_attributes") or {}
        expect_object(traits, f"{here}.relationship_attributes")
        calls.append(Call(address, build_group(group, traits, at, leaving=leaving)))
    return calls


def build_group(
    group: Mapping[str, str], traits: Mapping[str, Any], at: datetime, *, leaving: bool
) -> Item:
    name = LEFT_GROUP if leaving else FIXED_NAMES["group"]
    return build_item("group", name, at, properties={**group, "traits": dict(traits)})


def read_object_key(value: Any, path: str) -> dict[str, str]:
    said = expect_object(value, path)
    if "cio_object_id" in said:
        message = "This server gives out no ids for objects: send object_id."
        refuse("unsupported", message, f"{path}.cio_object_id")
    key = {"group_id": read_id_text(said.get("object_id"), f"{path}.object_id")}
    if said.get("object_type_id") is not None:
        where = f"{path}.object_type_id"
        key["object_type_id"] = read_id_text(said["object_type_id"], where)
    return key


def parse_device(
    address: Address, body: Mapping[str, Any], at: datetime, *, token_key: str = "id"
) -> DeviceSeen:
    """`{"device": {"id", "platform", "last_used", "attributes"}}`. One SDK puts the
    attributes beside the token, another under `attributes`."""
    device = expect_object(body.get("device"), "device")
    attributes = device.get("attributes") or {}
    expect_object(attributes, "device.attributes")
    said = {**device, **attributes}
    platform = said.get("platform")
    if not isinstance(platform, str) or platform.lower() not in PLATFORMS:
        refuse("invalid", "Not one of ios, android, web.", "device.platform")
    seen_at, _ = read_seconds(device.get("last_used"), at, "device.last_used")
    return DeviceSeen(
        address,
        read_token(device.get(token_key), f"device.{token_key}"),
        PLATFORMS[platform.lower()],
        min(seen_at, at),
        permission=read_permission(said),
        locale=read_word(said, "device_locale", "locale"),
        time_zone=read_word(said, "time_zone", "timezone"),
        app_version=read_word(said, "app_version")[:64],
        name=read_word(said, "device_model", "name")[:200],
        attributes={
            key: value
            for key, value in said.items()
            if key not in DEVICE_WORDS and value is not None
        },
    )


def read_permission(said: Mapping[str, Any]) -> str | None:
    """`push_enabled` comes as true or as "true"; None where nothing is said."""
    word = said.get("push_enabled")
    if isinstance(word, str):
        word = {"true": True, "false": False}.get(word.lower())
    return PERMISSIONS[word] if isinstance(word, bool) else None


def read_word(said: Mapping[str, Any], *keys: str) -> str:
    found = (said[key] for key in keys if isinstance(said.get(key), str))
    return next(found, "").strip()


def read_token(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        refuse("required", "A device needs its token.", path)
    if len(value) > MAX_TOKEN or value.split() != [value]:
        message = f"A token has no spaces and at most {MAX_TOKEN} characters."
        refuse("invalid", message, path)
    return value


def parse_merge(body: Mapping[str, Any]) -> Merge:
    merge = Merge(
        read_identifiers(body.get("primary"), "primary"),
        read_identifiers(body.get("secondary"), "secondary"),
    )
    if merge.primary == merge.secondary:
        refuse("same_id", "A person can not be merged with themselves.", "secondary")
    return merge


def expect_object(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        refuse("required", "This field is required.", path)
    if not isinstance(value, Mapping):
        refuse("invalid_type", "Expected an object.", path)
    return value


def read_flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        refuse("invalid_type", "Expected true or false.", path)
    return value


def read_seconds(value: Any, at: datetime, path: str) -> tuple[datetime, bool]:
    """Unix seconds as UTC, and whether they were cut because they ran ahead."""
    if value is None:
        return at, False
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse("invalid_timestamp", "Expected seconds since 1970.", path)
    if not math.isfinite(value) or value < 0 or value >= MILLISECONDS_FROM:
        hint = " These look like milliseconds." if value >= MILLISECONDS_FROM else ""
        refuse("invalid_timestamp", f"Expected seconds since 1970.{hint}", path)
    said = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    if said.year not in YEARS:
        message = f"Not a time between {YEARS[0]} and {YEARS[-1]}."
        refuse("invalid_timestamp", message, path)
    latest = at + MAX_AHEAD
    return (latest, True) if said > latest else (said, False)
