"""Products by their code: the door of `/api/products/`, of the demo and of staff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from crm.catalog.catalogs import find_products_catalog
from crm.catalog.items import Saved, save_items
from crm.events.limits import BodyRefused

# What a caller may say about a product; the code finds it.
FIELDS = (
    "name",
    "url",
    "image_url",
    "price",
    "was_price",
    "currency",
    "category",
    "stock",
    "attributes",
)


@transaction.atomic
def save_products(
    rows: Sequence[Mapping[str, Any]], *, source: str, at: datetime
) -> Saved:
    """Upsert full rows by code: all of them, or BodyRefused with the path of the fault.

    A field that a row leaves out is set to its default.
    """
    saved = save_items(find_products_catalog(), rows, source=source, at=at)
    for index, fault in sorted(saved.refused.items()):
        raise BodyRefused(400, fault.under(f"products[{index}]"))
    return saved
