"""Plain `make_*` factories: the smallest valid row, anything else by keyword."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crm.models import ApiKey, Contact, Device, Event, Identifier, Product

_numbers = itertools.count(1)
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def make_contact(external_id: str | None = "", **fields: Any) -> Contact:
    """A known contact with its identifiers; an anonymous one for None."""
    if external_id == "":
        external_id = f"user-{next(_numbers)}"
    contact = Contact.objects.create(external_id=external_id, **fields)
    if external_id:
        Identifier.objects.create(
            contact=contact, kind=Identifier.Kind.EXTERNAL_ID, value=external_id
        )
    else:
        Identifier.objects.create(
            contact=contact,
            kind=Identifier.Kind.ANONYMOUS_ID,
            value=f"anon-{next(_numbers)}",
        )
    if contact.email:
        Identifier.objects.create(
            contact=contact, kind=Identifier.Kind.EMAIL, value=contact.email.lower()
        )
    return contact


def make_device(contact: Contact | None = None, **fields: Any) -> Device:
    """A reachable Android device."""
    fields.setdefault("token", f"token-{next(_numbers)}")
    fields.setdefault("platform", Device.Platform.ANDROID)
    fields.setdefault("permission", Device.Permission.GRANTED)
    return Device.objects.create(contact=contact or make_contact(), **fields)


def make_event(contact: Contact, name: str = "Order Completed", **fields: Any) -> Event:
    fields.setdefault("occurred_at", NOON)
    fields.setdefault("message_id", f"message-{next(_numbers)}")
    fields.setdefault("source", "test")
    return Event.objects.create(contact=contact, name=name, **fields)


def make_product(code: str = "", **fields: Any) -> Product:
    code = code or f"sku-{next(_numbers)}"
    fields.setdefault("name", f"Product {code}")
    fields.setdefault("price", Decimal("9.90"))
    return Product.objects.create(code=code, **fields)


def make_api_key(*scopes: str) -> str:
    """The secret of a new key; scope `track` where none is named."""
    _, secret = ApiKey.issue(name="test", scopes=list(scopes or ("track",)))
    return secret
