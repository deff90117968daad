"""What the rows say after a client has spoken, in plain values to compare."""

from __future__ import annotations

from typing import Any

from crm.models import Contact, Event, Identifier


def list_identifiers(contact: Contact) -> set[tuple[str, str]]:
    """(kind, value) of all that leads to this contact, through merges too."""
    owners = [contact.pk, *Contact.objects.filter(canonical=contact).values_list("pk")]
    found = Identifier.objects.filter(contact__in=owners)
    return set(found.values_list("kind", "value"))


def list_events() -> list[dict[str, Any]]:
    """Each event by its time: whose, its name, moment, message id and properties."""
    rows = Event.objects.order_by("occurred_at", "message_id").select_related("contact")
    return [
        {
            "who": event.contact.external_id,
            "name": event.name,
            "at": event.occurred_at.isoformat(),
            "message_id": event.message_id,
            "properties": event.properties,
        }
        for event in rows
    ]
