"""Segment's Python client and its descendants, as published, over a socket."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm.models import Contact, Device, Event
from tests.clients.conftest import Site
from tests.clients.environments import SCRIPTS, install_python
from tests.clients.rows import list_events, list_identifiers

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("segment-analytics-python==2.4.0", "segment.analytics"),
        ("analytics-python==1.4.post1", "analytics"),
        ("customerio-cdp-analytics==1.1.0", "customerio.analytics"),
    ],
)
def test_each_call_becomes_the_row_it_means(
    package: str, module: str, site: Site
) -> None:
    client = install_python(package)
    said = client.run(
        SCRIPTS / "segment_family.py",
        MODULE=module,
        SITE_URL=site.url,
        SITE_KEY=site.key,
    ).read_json()

    assert said["failed"] == []
    assert said["refused"] == {
        "name": "APIError",
        "status": 401,
        "code": "authentication_failed",
        "message": "Unknown or revoked API key.",
    }
    check_rows()


def check_rows() -> None:
    ada = Contact.objects.get(external_id="ada")
    assert Contact.objects.canonical().count() == 1
    assert ada.traits == {"email": "ada@example.com", "plan": "pro", "visits": 3}
    assert ada.email == "ada@example.com"
    assert list_identifiers(ada) == {
        ("external_id", "ada"),
        ("anonymous_id", "browser-1"),
        ("anonymous_id", "old-ada"),
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
