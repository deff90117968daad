"""What stands before the first campaign: a brand, its center, a sender."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from crm.models import Brand
from notifications.models import Sender
from preferences.centers import ensure_default_center


@transaction.atomic
def lay_foundation(*, name: str, slug: str, **fields: Any) -> Brand:
    """The default brand, made with these fields where there is no brand at all.

    It gets a preference center, and the sandbox as its sender where that is on:
    without a Firebase key messages have somewhere to go, and nowhere outside.
    """
    brand = Brand.objects.default()
    if brand is None:
        brand = Brand.objects.create(name=name, slug=slug, is_default=True, **fields)
    ensure_default_center(brand)
    if settings.SANDBOX and Sender.objects.default_for("push") is None:
        Sender.objects.create(
            name="Sandbox push",
            brand=brand,
            channel="push",
            kind=Sender.Kind.SANDBOX,
            is_default=True,
        )
    return brand
