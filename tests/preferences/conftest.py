"""A brand with its default center, and one person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm.models import Brand, Contact
from preferences.centers import ensure_default_center
from preferences.models import PreferenceCenter

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def center(db: None) -> PreferenceCenter:
    brand = Brand.objects.create(name="Acme", slug="acme", is_default=True)
    return ensure_default_center(brand)


@pytest.fixture
def contact(db: None) -> Contact:
    return Contact.objects.create(external_id="ada", email="ada@example.com")
