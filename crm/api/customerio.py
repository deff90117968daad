"""Customer.io's Track API: people, what they do, their devices; merges; v2 entities.

Only translation: the wire modules read, `crm.track` does. Suppressions are answered
in `preferences`, sends and reports on messages in `notifications`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm.api.customerio_v2_wire import parse_batch, parse_entity
from crm.api.customerio_wire import (
    parse_device,
    parse_event,
    parse_identify,
    parse_merge,
    read_token,
)
from crm.api.foreign import SOURCE, Request
from crm.api.wire import refuse_overload
from crm.bell import ring_bell
from crm.events.addresses import find_people
from crm.events.envelope import reject_item
from crm.events.limits import Fault
from crm.events.naming import read_address, read_email
from crm.events.operations import Call, Deletion, DeviceGone, Operation
from crm.events.pressure import is_choice, is_exempt
from crm.quality.rejections import note_rejections, note_suppressed
from crm.track import Done, apply_entities, apply_operations


def identify(request: Request, identifier: str) -> Any:
    """PUT /api/v1/customers/{id}"""
    address = read_address(identifier, "identifier")
    body = request.read_object()
    return do_all(request, parse_identify(address, body, request.at))


def delete(request: Request, identifier: str) -> Any:
    """DELETE /api/v1/customers/{id}: erased; a later call makes somebody new.

    Customer.io's meaning of the word: no tombstone stays.
    """
    request.read_object()
    return do_all(request, [Deletion(read_address(identifier, "identifier"))])


def track(request: Request, identifier: str) -> Any:
    """POST /api/v1/customers/{id}/events"""
    address = read_address(identifier, "identifier")
    return do_all(request, [parse_event(address, request.read_object(), request.at)])


def track_anonymous(request: Request) -> Any:
    """POST /api/v1/events"""
    return do_all(request, [parse_event(None, request.read_object(), request.at)])


def add_device(request: Request, identifier: str) -> Any:
    """PUT /api/v1/customers/{id}/devices"""
    address = read_address(identifier, "identifier")
    return do_all(request, [parse_device(address, request.read_object(), request.at)])


def delete_device(request: Request, identifier: str, token: str) -> Any:
    """DELETE /api/v1/customers/{id}/devices/{token}"""
    request.read_object()
    address = read_address(identifier, "identifier")
    return do_all(request, [DeviceGone(address, read_token(token, "token"))])


def merge(request: Request) -> Any:
    """POST /api/v1/merge_customers"""
    return do_all(request, [parse_merge(request.read_object())])


def receive_entity(request: Request) -> Any:
    """POST /api/v2/entity"""
    return do_all(request, parse_entity(request.read_object(), request.at))


def receive_batch(request: Request) -> Any:
    """POST /api/v2/batch: what could not be done is listed, by its place."""
    parsed, faults = parse_batch(request.body, request.at, request.limits)
    taken = [entity for entity in parsed if passes(request, entity[1], parsed)]
    done = apply_entities(taken, at=request.at, actor=request.actor)
    refused = sorted([*faults, *done.refused.items()], key=lambda f: f[0])
    lost = [reject_item(index, fault) for index, fault in refused]
    note_rejections(lost, source=SOURCE, body=request.body, at=request.at)
    said = finish(request, done, refused)
    if request.overload is not None and len(taken) < len(parsed):
        raise refuse_overload(request.overload)
    return said


def do_all(request: Request, operations: Sequence[Operation]) -> Any:
    if request.overload is not None and not all(map(never_waits, operations)):
        raise refuse_overload(request.overload)
    return finish(
        request, apply_operations(operations, at=request.at, actor=request.actor)
    )


def passes(
    request: Request,
    operations: Sequence[Operation],
    batch: Sequence[tuple[int, Sequence[Operation]]],
) -> bool:
    """Whether this entity of a batch is done at once, under pressure too."""
    if request.overload is None:
        return True
    everything = [operation for _, some in batch for operation in some]
    if all(map(never_waits, everything)):
        return True
    return all(map(never_waits, operations)) and all(map(may_repeat, operations))


def never_waits(operation: Operation) -> bool:
    """Opt-outs, purchases, and what takes something away."""
    if isinstance(operation, Call):
        return is_exempt(operation.item)
    return isinstance(operation, DeviceGone | Deletion)


def may_repeat(operation: Operation) -> bool:
    """Sent again with its batch, it changes nothing twice."""
    if not isinstance(operation, Call):
        return True
    return bool(operation.item.message_id) or is_choice(operation.item)


def finish(
    request: Request, done: Done, refused: Sequence[tuple[int, Fault]] = ()
) -> Any:
    """Ring where something came of it; refusals in our words and in theirs."""
    if done.accepted:
        ring_bell()
    note_suppressed(done.suppressed, source=SOURCE, at=request.at)
    said: dict[str, Any] = {
        "success": True,
        "accepted": done.accepted,
        "duplicates": done.duplicates,
        "suppressed": done.suppressed,
        "rejected": [
            {"index": n, "path": f.path, "code": f.code, "message": f.message}
            for n, f in refused
        ],
    }
    if refused:
        said["errors"] = [
            {"batch_index": n, "reason": f.code, "field": f.path, "message": f.message}
            for n, f in refused
        ]
    return said


def list_customers(request: Request) -> Any:
    """GET /v1/customers?email=: whoever has this address, as `results`."""
    mail = read_email(request.query.get("email"), "email")
    return {
        "results": [
            {
                "cio_id": f"cio_{person.uuid.hex}",
                "id": person.external_id,
                "email": person.email,
            }
            for person in find_people([mail]).values()
        ]
    }
