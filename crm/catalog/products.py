"""Products are written by their code: made where new, changed where known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from crm.models import Product
from crm.models.audit import record_audit

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
def save_products(rows: Sequence[Mapping[str, Any]]) -> int:
    """Upsert full rows by code, in one statement; of a repeated code the last wins.

    A field that a row leaves out is set to its default.
    """
    products = {row["code"]: Product(updated_at=timezone.now(), **row) for row in rows}
    ordered = [products[code] for code in sorted(products)]
    Product.objects.bulk_create(
        ordered,
        update_conflicts=True,
        unique_fields=["code"],
        update_fields=[*FIELDS, "updated_at", "learned_at"],
    )
    return len(ordered)


@transaction.atomic
def save_product(product: Product, *, actor: Any) -> Product:
    """One product as staff or a key left it."""
    product.updated_at = timezone.now()
    product.learned_at = None
    known = product.pk is not None
    product.save()
    record_audit(actor=actor, action="edited" if known else "added", on=product)
    return product
