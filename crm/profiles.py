"""Profiles by hand: what the REST API and staff change about a contact.

The same door as every wire, `record_events`, so that live segments follow.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django.db import transaction

from crm.events.devices import (
    DeviceLoss,
    DeviceRow,
    register_device,
    remove_devices,
)
from crm.events.ingest import record_events
from crm.events.merge import MergeRefused, merge_contacts
from crm.events.schema import Item
from crm.events.tombstones import find_erased, list_said
from crm.models import Contact, Device, Identifier, PendingEvent
from crm.models.audit import record_audit
from crm.models.ids import make_uuid7
from crm.ports.facts import DEVICE_CHANGED


class PersonErased(ValueError):
    """This would bring back somebody who was erased."""

    def __init__(self) -> None:
        super().__init__(
            "A person with this id or address was erased for good. Lift that first, "
            "under People → Erased people, if they come back on purpose."
        )


@transaction.atomic
def save_profile(
    *, external_id: str, traits: Mapping[str, Any], actor: Any, at: datetime
) -> Contact:
    """Make the contact, or tell it new traits; a trait of None is removed.

    Raises PersonErased.
    """
    item = make_identify(traits, at, user_id=external_id)
    if record_events([item], received_at=at, source="api").suppressed:
        raise PersonErased
    contact = find_contact(external_id)
    assert contact is not None  # just made, in this transaction
    record_audit(
        actor=actor, action="edited", on=contact, changes={"traits": sorted(traits)}
    )
    return contact


def check_may_return(external_id: str, traits: Mapping[str, Any]) -> None:
    """Raises PersonErased where a new contact of these would be an erased person."""
    if find_erased(
        [(Identifier.Kind.EXTERNAL_ID.value, external_id), *list_said(traits)]
    ):
        raise PersonErased


@transaction.atomic
def edit_contact(
    contact: Contact, *, traits: Mapping[str, Any], actor: Any, at: datetime
) -> Contact:
    """Staff tell a contact's traits, of an anonymous one too.

    Raises PersonErased, where somebody erased them just now.
    """
    if contact.external_id:
        return save_profile(
            external_id=contact.external_id, traits=traits, actor=actor, at=at
        )
    visitor = contact.identifiers.filter(kind=Identifier.Kind.ANONYMOUS_ID).first()
    if visitor is None:
        raise Contact.DoesNotExist("A contact without identifiers can not be edited.")
    item = make_identify(traits, at, anonymous_id=visitor.value)
    if record_events([item], received_at=at, source="api").suppressed:
        raise PersonErased
    record_audit(
        actor=actor, action="edited", on=contact, changes={"traits": sorted(traits)}
    )
    contact.refresh_from_db()
    return contact


def make_identify(
    traits: Mapping[str, Any],
    at: datetime,
    *,
    user_id: str = "",
    anonymous_id: str = "",
) -> Item:
    return Item(
        index=0,
        kind="identify",
        name="",
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id="",
        message_id="",
        occurred_at=at,
        clock_skewed=False,
        properties={},
        traits=dict(traits),
        context={},
    )


def find_contact(external_id: str) -> Contact | None:
    """The canonical contact that this external id leads to."""
    row = (
        Identifier.objects.select_related("contact__canonical")
        .filter(kind=Identifier.Kind.EXTERNAL_ID, value=external_id)
        .first()
    )
    return (row.contact.canonical or row.contact) if row else None


def find_anybody(said: str) -> Contact | None:
    """The canonical contact of an external id or a uuid, also of one merged away."""
    if found := find_contact(said):
        return found
    try:
        wanted = uuid.UUID(said)
    except ValueError:
        return None
    contact = Contact.objects.select_related("canonical").filter(uuid=wanted).first()
    return (contact.canonical or contact) if contact else None


@transaction.atomic
def save_device(
    contact: Contact, *, token: str, platform: str, at: datetime, **known: Any
) -> Device:
    """Register a device to this contact; the token leaves any other."""
    Contact.objects.lock_in_order([contact.pk])
    row = DeviceRow(
        contact_id=contact.pk, token=token, platform=platform, seen_at=at, **known
    )
    leave_pending(contact, at)
    return register_device(row)


@transaction.atomic
def remove_device(contact: Contact, *, token: str, at: datetime) -> bool:
    """This contact's device is reached no more; False where it was none of theirs."""
    Contact.objects.lock_in_order([contact.pk])
    removed = remove_devices([DeviceLoss(contact.pk, token, at)])
    if removed:
        leave_pending(contact, at)
    return bool(removed)


def leave_pending(contact: Contact, at: datetime) -> None:
    """A row that has the contact's segments judged once more."""
    PendingEvent.objects.create(
        event_id=make_uuid7(), occurred_at=at, contact=contact, name=DEVICE_CHANGED
    )


@transaction.atomic
def link_visitor(contact: Contact, anonymous_id: str, *, actor: Any) -> None:
    """What was done under this anonymous id is this contact's, from now on too.

    An id that leads to somebody who is known otherwise, or that was an erased
    person's, is left alone.
    """
    kind = Identifier.Kind.ANONYMOUS_ID
    if find_erased([(kind.value, anonymous_id)]):
        return
    row, is_new = Identifier.objects.select_related("contact").get_or_create(
        kind=kind, value=anonymous_id, defaults={"contact": contact}
    )
    visitor = row.contact
    is_known = visitor.external_id or visitor.email or visitor.canonical_id
    if is_new or is_known or visitor.pk == contact.pk:
        return
    # Refused where another request merged or erased one of them just now.
    with suppress(MergeRefused):
        merge_contacts(source_id=visitor.pk, target_id=contact.pk, actor=actor)


def diff_traits(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What must be said to get from one to the other; None removes."""
    said = {key: value for key, value in after.items() if before.get(key) != value}
    return said | {key: None for key in before if key not in after}
