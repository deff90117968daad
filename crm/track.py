"""Does what a foreign wire asks of people, in the order it was said.

Each operation is one of the product's own deeds: `record_events`, `save_device`,
`remove_device`, `merge_contacts`, `erase_contact`. All of a request, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction

from crm.events.addresses import find_people, find_person, name_person
from crm.events.ingest import record_events
from crm.events.limits import BodyRefused, Fault
from crm.events.merge import MergeRefused, merge_contacts
from crm.events.naming import Address
from crm.events.operations import (
    Call,
    Deletion,
    DeviceGone,
    DeviceSeen,
    Merge,
    Operation,
)
from crm.events.retrying import retry_transaction
from crm.events.schema import Item
from crm.models import Contact
from crm.privacy import erase_contact
from crm.profiles import (
    PersonErased,
    link_visitor,
    make_identify,
    remove_device,
    save_device,
)

SOURCE = "customerio"
UNKNOWN = "Nobody is known by this."


@dataclass(slots=True)
class Done:
    """How many operations had an effect, or not and why; refused ones by index."""

    accepted: int = 0
    duplicates: int = 0
    # Calls that would bring back somebody who was erased.
    suppressed: int = 0
    refused: dict[int, Fault] = field(default_factory=dict)


# One entity of a batch: its index there, and its operations.
Entity = tuple[int, Sequence[Operation]]


def apply_entities(entities: Sequence[Entity], *, at: datetime, actor: Any) -> Done:
    """Do them all in one transaction; one that cannot be done is listed, alone.

    Calls that stand side by side are recorded together. A deadlock with another
    request is tried again.
    """
    return retry_transaction(lambda: _apply_once(entities, at=at, actor=actor))


def apply_operations(
    operations: Sequence[Operation], *, at: datetime, actor: Any
) -> Done:
    """Do what one request asks; raises BodyRefused where it cannot be done."""
    done = apply_entities([(0, operations)], at=at, actor=actor)
    if done.refused:
        [fault] = done.refused.values()
        raise BodyRefused(404 if fault.code == "not_found" else 400, fault)
    return done


@transaction.atomic
def _apply_once(entities: Sequence[Entity], *, at: datetime, actor: Any) -> Done:
    done = Done()
    for run in split_runs(entities):
        if isinstance(run, list):
            _record_calls(run, done, at=at, actor=actor)
            continue
        index, operation = run
        try:
            with transaction.atomic():
                DEEDS[type(operation)](operation, at=at, actor=actor)
        except BodyRefused as refused:
            done.refused.setdefault(index, refused.fault)
        except PersonErased:
            done.suppressed += 1
        else:
            done.accepted += 1
    return done


Run = list[tuple[int, Call]] | tuple[int, Operation]


def split_runs(entities: Iterable[Entity]) -> list[Run]:
    """Neighbouring calls as lists, everything else alone.

    Who is meant by an e-mail or a cio_id is looked up once a run, so that such an
    address after an identify call, which may have told it, starts the next one.
    """
    runs: list[Run] = []
    calls: list[tuple[int, Call]] = []
    has_told = False
    for index, operation in ((i, op) for i, ops in entities for op in ops):
        if not isinstance(operation, Call):
            runs += [calls] if calls else []
            runs.append((index, operation))
            calls, has_told = [], False
            continue
        address = operation.address
        if has_told and address is not None and address.kind != "id":
            runs.append(calls)
            calls, has_told = [], False
        calls.append((index, operation))
        has_told = has_told or operation.item.kind == "identify"
    return [*runs, calls] if calls else runs


def _record_calls(
    calls: Sequence[tuple[int, Call]], done: Done, *, at: datetime, actor: Any
) -> None:
    people = find_people(list_addresses(call for _, call in calls))
    items: list[Item] = []
    places: list[int] = []
    links: list[tuple[int, Address, str]] = []
    for index, call in calls:
        try:
            item = address_item(call, people)
        except BodyRefused as refused:
            done.refused.setdefault(index, refused.fault)
            continue
        if item is None:
            continue
        if call.address and call.anonymous_id not in ("", item.anonymous_id):
            links.append((len(items), call.address, call.anonymous_id))
        items.append(msgspec.structs.replace(item, index=len(items)))
        places.append(index)
    result = record_events(items, received_at=at, source=SOURCE)
    done.accepted += result.accepted
    done.duplicates += result.duplicates
    done.suppressed += len(result.suppressed)
    lost = {one.index: one for one in result.rejected}
    for at_item, one in lost.items():
        fault = Fault(one.code, one.message, one.path)
        done.refused.setdefault(places[at_item], fault)
    for at_item, address, visitor in links:
        if at_item not in lost and at_item not in result.suppressed:
            link_visitor(_get_person(address), visitor, actor=actor)


def list_addresses(calls: Iterable[Call]) -> list[Address]:
    """Those that must be looked up: an id leads somewhere by itself."""
    wanted: list[Address] = []
    for call in calls:
        if call.address is None:
            continue
        if call.address.kind != "id" or call.only_known:
            wanted.append(call.address)
        if mail := find_said_email(call):
            wanted += [call.address, mail]
    return wanted


def find_said_email(call: Call) -> Address | None:
    """The e-mail that an identify call tells of an id."""
    said = call.item.traits.get("email")
    if call.item.kind != "identify" or not isinstance(said, str) or not said.strip():
        return None
    return Address("email", said.strip())


def address_item(call: Call, people: dict[Address, Contact]) -> Item | None:
    """The item with its keys; None where only known people are meant and this
    one is not. An e-mail that nobody is known by makes a person of that e-mail."""
    if call.address is None:
        return call.item
    person = people.get(call.address)
    if person is None and call.only_known:
        return None
    if call.address.kind == "id":
        return key_by_id(call, call.address.value, people)
    if call.new_id:
        return key_by_new_id(call, person)
    if person is not None:
        user_id, anonymous_id = name_person(person)
        if user_id:
            anonymous_id = call.anonymous_id
        return with_keys(call.item, user_id, anonymous_id)
    if call.address.kind == "cio_id":
        raise BodyRefused(404, Fault("not_found", UNKNOWN, "cio_id"))
    traits = {"email": call.address.value, **call.item.traits}
    item = msgspec.structs.replace(call.item, traits=traits)
    return with_keys(item, "", call.address.email_key)


def key_by_id(call: Call, user_id: str, people: dict[Address, Contact]) -> Item:
    """An id that is new takes over the person who was known by e-mail alone."""
    assert call.address is not None
    mail = find_said_email(call)
    known = people.get(mail) if mail else None
    is_new = call.address not in people
    if known is not None and is_new and not known.external_id:
        return with_keys(call.item, user_id, name_person(known)[1])
    return with_keys(call.item, user_id, call.anonymous_id)


def key_by_new_id(call: Call, person: Contact | None) -> Item:
    """Somebody addressed by e-mail or cio_id gets an id, if they have none."""
    assert call.address is not None
    if person is None and call.address.kind == "cio_id":
        raise BodyRefused(404, Fault("not_found", UNKNOWN, "cio_id"))
    if person is None:
        traits = {"email": call.address.value, **call.item.traits}
        item = msgspec.structs.replace(call.item, traits=traits)
        return with_keys(item, call.new_id, call.anonymous_id)
    if person.external_id not in (None, call.new_id):
        message = "This person has another id; merge the two people instead."
        raise BodyRefused(400, Fault("conflict", message, "id"))
    return with_keys(call.item, call.new_id, name_person(person)[1])


def with_keys(item: Item, user_id: str, anonymous_id: str) -> Item:
    return msgspec.structs.replace(item, user_id=user_id, anonymous_id=anonymous_id)


def _get_person(address: Address, path: str = "") -> Contact:
    person = find_person(address)
    if person is None:
        where = f"{path}.{address.kind}" if path else address.kind
        raise BodyRefused(404, Fault("not_found", UNKNOWN, where))
    return person


def ensure_person(address: Address, *, at: datetime, actor: Any) -> Contact:
    """The person, made known by this address where nobody was. Raises PersonErased."""
    person = find_person(address)
    if person is not None:
        return person
    done, item = Done(), make_identify({}, at)
    _record_calls([(0, Call(address, item))], done, at=at, actor=actor)
    if done.suppressed:
        raise PersonErased
    return _get_person(address)


def _see_device(device: DeviceSeen, *, at: datetime, actor: Any) -> None:
    save_device(
        ensure_person(device.address, at=at, actor=actor),
        token=device.token,
        platform=device.platform,
        at=device.seen_at,
        permission=device.permission,
        locale=device.locale,
        time_zone=device.time_zone,
        app_version=device.app_version,
        name=device.name,
        attributes=device.attributes,
    )


def _drop_device(gone: DeviceGone, *, at: datetime, actor: Any) -> None:
    person = find_person(gone.address)
    if person is not None:
        remove_device(person, token=gone.token, at=at)


def _merge(merge: Merge, *, at: datetime, actor: Any) -> None:
    primary = _get_person(merge.primary, "primary")
    secondary = _get_person(merge.secondary, "secondary")
    # Merged before: the secondary's keys lead to the primary already.
    if primary.pk == secondary.pk:
        return
    try:
        merge_contacts(
            source_id=secondary.pk, target_id=primary.pk, actor=actor, keeps_words=True
        )
    except MergeRefused as error:
        # Another request merged or erased one of them just now.
        raise BodyRefused(400, Fault("conflict", str(error), "secondary")) from error


def _delete(deletion: Deletion, *, at: datetime, actor: Any) -> None:
    person = find_person(deletion.address)
    if person is not None:
        # Customer.io's word: who is deleted may come back with the next call.
        erase_contact(person, actor=actor, may_return=True)


DEEDS: dict[type[Operation], Callable[..., None]] = {
    DeviceSeen: _see_device,
    DeviceGone: _drop_device,
    Merge: _merge,
    Deletion: _delete,
}
