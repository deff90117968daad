"""Customer.io's Track wire, v2: one entity, or a batch of them → operations. Pure.

An entity of type `object` is kept as group calls of the people it names: there are
no objects here yet, and what cannot be kept is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from crm.api.customerio_wire import (
    build_event,
    build_group,
    build_item,
    expect_object,
    parse_device,
    parse_identify,
    parse_merge,
    parse_relations,
    read_object_key,
    read_seconds,
    read_token,
)
from crm.events.limits import (
    BodyRefused,
    Fault,
    Limits,
    check_utf8,
    find_fault,
    parse_leniently,
)
from crm.events.naming import Address, read_id_text, read_identifiers, refuse
from crm.events.operations import Call, Deletion, DeviceGone, Operation
from crm.ports.effects import SUPPRESSED, UNSUPPRESSED

Entity = Mapping[str, Any]


def parse_entity(value: Any, at: datetime) -> list[Operation]:
    """The operations of one entity, or BodyRefused with the path inside it."""
    entity = expect_object(value, "")
    kind = entity.get("type")
    if kind == "person":
        return parse_person(entity, at)
    if kind == "object":
        return parse_object(entity, at)
    if kind == "delivery":
        message = "Report on messages at /api/v1/push/events or /api/v1/metrics."
        refuse("unsupported", message, "type")
    raise BodyRefused(
        400, Fault("invalid", "Not one of person, object, delivery.", "type")
    )


def parse_person(entity: Entity, at: datetime) -> list[Operation]:
    action = entity.get("action")
    if action == "merge":
        return [parse_merge(entity)]
    if not isinstance(action, str) or action not in PERSON_ACTIONS:
        names = ", ".join([*PERSON_ACTIONS, "merge"])
        refuse("invalid", f"Not one of {names}.", "action")
    address = read_identifiers(entity.get("identifiers"), "identifiers")
    return PERSON_ACTIONS[action](address, entity, at)


def parse_identity(address: Address, entity: Entity, at: datetime) -> list[Operation]:
    attributes = entity.get("attributes") or {}
    expect_object(attributes, "attributes")
    operations = parse_identify(address, attributes, at, path="attributes.")
    if entity.get("timestamp") is not None:
        said_at, skewed = read_seconds(entity["timestamp"], at, "timestamp")
        first = operations[0]
        assert isinstance(first, Call)
        item = msgspec.structs.replace(
            first.item, occurred_at=said_at, clock_skewed=skewed
        )
        operations[0] = msgspec.structs.replace(first, item=item)
    if entity.get("cio_relationships") is not None:
        operations += add_relations(address, entity, at)
    return operations


def parse_happening(kind: str) -> Callable[..., list[Operation]]:
    """The parser of `event`, `page` or `screen`."""

    def parse(address: Address, entity: Entity, at: datetime) -> list[Operation]:
        data = entity.get("attributes")
        item = build_event(kind, entity, data, at, data_path="attributes")
        return [Call(address, item)]

    return parse


def add_relations(address: Address, entity: Entity, at: datetime) -> list[Operation]:
    said = entity.get("cio_relationships")
    return parse_relations(address, said, at, path="cio_relationships", leaving=False)


def delete_relations(address: Address, entity: Entity, at: datetime) -> list[Operation]:
    said = entity.get("cio_relationships")
    return parse_relations(address, said, at, path="cio_relationships", leaving=True)


def add_device(address: Address, entity: Entity, at: datetime) -> list[Operation]:
    return [parse_device(address, entity, at, token_key="token")]


def delete_device(address: Address, entity: Entity, at: datetime) -> list[Operation]:
    device = expect_object(entity.get("device"), "device")
    return [DeviceGone(address, read_token(device.get("token"), "device.token"))]


def delete_person(address: Address, entity: Entity, at: datetime) -> list[Operation]:
    return [Deletion(address)]


def parse_deed(name: str) -> Callable[..., list[Operation]]:
    """The parser of an action that is an event with an effect."""

    def parse(address: Address, entity: Entity, at: datetime) -> list[Operation]:
        return [Call(address, build_item("track", name, at))]

    return parse


PERSON_ACTIONS: Mapping[str, Callable[..., list[Operation]]] = {
    "identify": parse_identity,
    "delete": delete_person,
    "event": parse_happening("event"),
    "page": parse_happening("page"),
    "screen": parse_happening("screen"),
    "add_relationships": add_relations,
    "delete_relationships": delete_relations,
    "add_device": add_device,
    "delete_device": delete_device,
    "suppress": parse_deed(SUPPRESSED),
    "unsuppress": parse_deed(UNSUPPRESSED),
}
OBJECT_ACTIONS = (
    "identify",
    "identify_anonymous",
    "add_relationships",
    "delete_relationships",
)


def parse_object(entity: Entity, at: datetime) -> list[Operation]:
    """A group call for each person the object names."""
    action = entity.get("action")
    if action not in OBJECT_ACTIONS:
        names = ", ".join(OBJECT_ACTIONS)
        refuse("unsupported", f"For objects, one of {names}.", "action")
    group = read_object_key(entity.get("identifiers"), "identifiers")
    attributes = entity.get("attributes") or {}
    expect_object(attributes, "attributes")
    people = entity.get("cio_relationships")
    if not isinstance(people, list) or not people:
        message = "Objects are kept with their people: name at least one."
        refuse("required", message, "cio_relationships")
    leaving = action == "delete_relationships"
    return [
        relate_person(
            entry,
            group,
            attributes,
            at,
            leaving=leaving,
            path=f"cio_relationships[{n}]",
        )
        for n, entry in enumerate(people)
    ]


def relate_person(
    entry: Any,
    group: Mapping[str, str],
    attributes: Mapping[str, Any],
    at: datetime,
    *,
    leaving: bool,
    path: str,
) -> Call:
    said = expect_object(entry, path)
    relation = said.get("relationship_attributes") or {}
    expect_object(relation, f"{path}.relationship_attributes")
    item = build_group(group, {**attributes, **relation}, at, leaving=leaving)
    who = expect_object(said.get("identifiers"), f"{path}.identifiers")
    if set(who) == {"anonymous_id"}:
        key = read_id_text(who["anonymous_id"], f"{path}.identifiers.anonymous_id")
        return Call(None, msgspec.structs.replace(item, anonymous_id=key))
    return Call(read_identifiers(who, f"{path}.identifiers"), item)


def parse_batch(
    body: bytes, at: datetime, limits: Limits
) -> tuple[list[tuple[int, list[Operation]]], list[tuple[int, Fault]]]:
    """Each entity's operations by its index, and the faults of the others.

    What is no JSON at all (NaN, a broken escape) refuses the request.
    """
    entities = decode_batch(body, limits)
    parsed: list[tuple[int, list[Operation]]] = []
    faults: list[tuple[int, Fault]] = []
    for index, value in enumerate(entities):
        fault = find_fault(value, 2)
        if fault is not None and fault.code == "not_a_number":
            raise BodyRefused(400, fault.under(f"batch[{index}]"))
        if fault is None and len(msgspec.json.encode(value)) > limits.event_bytes:
            message = f"Larger than {limits.event_bytes} bytes."
            fault = Fault("event_too_large", message)
        if fault is not None:
            faults.append((index, fault))
            continue
        try:
            parsed.append((index, parse_entity(value, at)))
        except BodyRefused as refused:
            faults.append((index, refused.fault))
    return parsed, faults


def decode_batch(body: bytes, limits: Limits) -> list[Any]:
    check_utf8(body)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = parse_leniently(body)
    entities = value.get("batch") if isinstance(value, dict) else None
    if not isinstance(entities, list) or not entities:
        refuse("invalid", "Expected a list of entities.", "batch")
    if len(entities) > limits.batch_events:
        message = f"More than {limits.batch_events} entities in one batch."
        refuse("too_many_events", message, "batch", 413)
    return entities
