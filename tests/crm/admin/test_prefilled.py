"""Forms that an address fills in."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("2027-03-04T12:30:00Z", '"2027-03-04"'),
        ("2027-03-04 12:30", '"2027-03-04"'),
        ("tomorrow", ""),
        ("%ff", ""),
        ("2027-13-45T99:00", ""),
        ("9" * 24, ""),
    ],
)
def test_a_time_in_the_address_is_read_or_left_out(
    said: str, shown: str, admin_client: Client
) -> None:
    answer = admin_client.get(f"/admin/crm/apikey/add/?expires_at={said}&name=Shop")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="Shop"' in page
    assert shown in page
    assert ('value="2027' in page) is bool(shown)
