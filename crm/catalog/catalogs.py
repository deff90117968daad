"""Catalogs themselves: made and described by staff and keys, audited."""

from __future__ import annotations

import base64
import secrets
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from crm.catalog.fields import read_fields
from crm.catalog.rows import TAKEN
from crm.models import Catalog
from crm.models.audit import record_audit
from crm.models.catalog import PRODUCTS

# Random bytes of a webhook's secret; the standard asks for 24 to 64.
SECRET_BYTES: Final = 32
# An edit writes no more: the row also counts what others do to its items meanwhile.
EDITED: Final = ("name", "kind", "fields", "updated_at")


@transaction.atomic
def save_catalog(catalog: Catalog, *, actor: Any) -> Catalog:
    """Make or change a catalog; raises FieldRefused where its fields are none.

    Items that are there keep what they have; new definitions bind the next rows.
    """
    fields = read_fields(catalog.fields, taken=frozenset(TAKEN))
    catalog.fields = [
        {"name": field.name, "type": field.type, "required": field.required}
        for field in fields
    ]
    known = not catalog._state.adding
    catalog.updated_at = timezone.now()
    catalog.save(update_fields=EDITED if known else None)
    record_audit(actor=actor, action="edited" if known else "added", on=catalog)
    return catalog


@transaction.atomic
def open_webhook(catalog: Catalog, *, actor: Any) -> str:
    """A new secret for the catalog's webhook, shown here and never again; the one
    before ends."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    catalog.webhook_secret = secret
    catalog.save(update_fields=["webhook_secret"])
    record_audit(actor=actor, action="opened webhook", on=catalog)
    return secret


@transaction.atomic
def close_webhook(catalog: Catalog, *, actor: Any) -> None:
    catalog.webhook_secret = ""
    catalog.save(update_fields=["webhook_secret"])
    record_audit(actor=actor, action="closed webhook", on=catalog)


def find_products_catalog() -> Catalog:
    """The catalog that every shop begins with; laid again where it is gone."""
    found, _ = Catalog.objects.get_or_create(
        slug=PRODUCTS, defaults={"name": "Products", "kind": Catalog.Kind.PRODUCTS}
    )
    return found
