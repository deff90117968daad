"""Addresses → contacts, and back: which keys lead to a contact."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from crm.events.naming import Address
from crm.models import Contact, Identifier

EXTERNAL = Identifier.Kind.EXTERNAL_ID.value
EMAIL = Identifier.Kind.EMAIL.value
ANONYMOUS = Identifier.Kind.ANONYMOUS_ID.value


def find_people(addresses: Iterable[Address]) -> dict[Address, Contact]:
    """The canonical contacts meant; unknown, merged-away and erased ones are left out.

    At most three queries. Many shops use the e-mail as the id, so an address that
    looks like an e-mail is tried as an id first.
    """
    wanted = set(addresses)
    keys = {(kind, value) for address in wanted for kind, value in list_keys(address)}
    owners = read_owners(keys) if keys else {}
    uuids = {uuid.UUID(a.value): a for a in wanted if a.kind == "cio_id"}
    found = {
        address: owners[key]
        for address in wanted
        for key in reversed(list_keys(address))
        if key in owners
    }
    if uuids:
        rows = Contact.objects.filter(uuid__in=uuids).select_related("canonical")
        found |= {uuids[row.uuid]: row.canonical or row for row in rows}
    return {a: contact for a, contact in found.items() if contact.erased_at is None}


def list_keys(address: Address) -> list[tuple[str, str]]:
    """What may lead to this address's person, best first."""
    if address.kind == "id":
        return [(EXTERNAL, address.value)]
    if address.kind == "email":
        return [
            (EXTERNAL, address.value),
            (EMAIL, address.value.lower()),
            (ANONYMOUS, address.email_key),
        ]
    return []


def read_owners(keys: set[tuple[str, str]]) -> dict[tuple[str, str], Contact]:
    rows = Identifier.objects.filter(
        kind__in={kind for kind, _ in keys}, value__in={value for _, value in keys}
    ).select_related("contact__canonical")
    return {
        (row.kind, row.value): row.contact.canonical or row.contact
        for row in rows
        if (row.kind, row.value) in keys
    }


def find_person(address: Address) -> Contact | None:
    return find_people([address]).get(address)


def name_people(contact_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """What leads to each of these contacts, as `name_person` says it; erased ones are
    left out. Two queries, and two more for each who is known by e-mail alone."""
    kinds = (Identifier.Kind.EXTERNAL_ID, Identifier.Kind.ANONYMOUS_ID)
    named = (
        Identifier.objects.filter(contact__in=contact_ids, kind__in=kinds)
        .order_by("contact", "-kind", "pk")
        .distinct("contact")
    )
    found = {
        row.contact_id: (row.value, "") if row.kind == EXTERNAL else ("", row.value)
        for row in named
    }
    others = Contact.objects.filter(pk__in=set(contact_ids) - set(found))
    nameless = others.filter(canonical=None, erased_at=None)
    return found | {contact.pk: name_person(contact) for contact in nameless}


def name_person(contact: Contact) -> tuple[str, str]:
    """(external id, anonymous id), one of them empty: what leads to this contact.

    Somebody known by e-mail alone gets a name of their own.
    """
    kinds = (Identifier.Kind.EXTERNAL_ID, Identifier.Kind.ANONYMOUS_ID)
    named = contact.identifiers.filter(kind__in=kinds).order_by("-kind", "pk").first()
    if named is None:
        named, _ = Identifier.objects.get_or_create(
            kind=Identifier.Kind.ANONYMOUS_ID,
            value=f"contact:{contact.uuid}",
            defaults={"contact": contact},
        )
    if named.kind == Identifier.Kind.EXTERNAL_ID:
        return named.value, ""
    return "", named.value
