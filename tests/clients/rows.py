"""What the rows say after a client has spoken, in plain values to compare."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crm.models import Contact, Device, Event, Identifier


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


def check_segment_rows() -> None:
    """What came of scripts/segment_family, in whatever language."""
    ada = Contact.objects.get(external_id="ada")
    assert Contact.objects.canonical().count() == 1
    assert ada.traits == {"email": "ada@example.com", "plan": "pro", "visits": 3}
    assert ada.email == "ada@example.com"
    assert list_identifiers(ada) == {
        ("external_id", "ada"),
        ("anonymous_id", "browser-1"),
        ("anonymous_id", "old-ada"),
        ("external_id", "old-ada"),
        ("email", "ada@example.com"),
    }
    assert list_events() == [
        {
            "who": "ada",
            "name": name,
            "at": f"2025-03-04T12:{minute:02}:00+00:00",
            "message_id": message_id,
            "properties": properties,
        }
        for minute, name, message_id, properties in [
            (
                1,
                "Page Viewed",
                "said-page",
                {"name": "Pricing", "category": "Shop", "path": "/pricing"},
            ),
            (
                3,
                "Order Completed",
                "said-track",
                {"order_id": "A-1", "revenue": 42.5, "currency": "eur"},
            ),
            (4, "Screen Viewed", "said-screen", {"name": "Basket"}),
            (5, "$group", "said-group", {"group_id": "acme", "traits": {"seats": 5}}),
        ]
    ]
    order = Event.objects.get(name="Order Completed")
    assert (order.value, order.currency) == (Decimal("42.5"), "EUR")
    device = Device.objects.get()
    assert (device.token, device.platform, device.contact) == ("token-1", "ios", ada)
