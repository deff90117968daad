"""Brands: one mutation, audited; one of them is the default."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from crm.models import Brand
from crm.models.audit import record_audit


@transaction.atomic
def save_brand(brand: Brand, *, actor: Any) -> Brand:
    """Save; a new default takes the place of the old one."""
    known = brand.pk is not None
    if brand.is_default:
        Brand.objects.exclude(pk=brand.pk).filter(is_default=True).update(
            is_default=False
        )
    brand.save()
    record_audit(actor=actor, action="edited" if known else "added", on=brand)
    return brand
