"""PostHog's Python and Node clients, as published, over a socket."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from crm.models import Contact, Event
from tests.clients.conftest import Site
from tests.clients.environments import SCRIPTS, install_node, install_python
from tests.clients.rows import list_events, list_identifiers

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def number(n: int) -> str:
    return str(UUID(int=n))


def test_each_call_of_the_python_client_becomes_the_row_it_means(site: Site) -> None:
    client = install_python("posthog==7.91.1")
    said = client.run(
        SCRIPTS / "posthog_calls.py", SITE_URL=site.url, SITE_KEY=site.key
    ).read_json()

    assert said["failed"] == []
    assert said["refused"] == [["APIError", 401, "Unknown or revoked API key."]]
    check_ada()
    assert list_events() == [
        tell_event(1, "Page Viewed", {"url": "https://shop.example/pricing"}),
        tell_event(4, "Order Completed", {"order_id": "A-1", "revenue": 42.5}),
        tell_event(
            5,
            "$group",
            {"group_id": "acme", "group_type": "company", "traits": {"seats": 5}},
        ),
    ]


def test_each_call_of_the_node_client_becomes_the_row_it_means(site: Site) -> None:
    client = install_node("posthog-node@5.70.0")
    started = timezone.now()
    said = client.run(
        SCRIPTS / "posthog_calls.mjs", SITE_URL=site.url, SITE_KEY=site.key
    ).read_json()

    assert said["failed"] == []
    assert said["refused"] == [["PostHogFetchHttpError", 401]]
    check_ada()
    *dated, group = list_events()
    assert dated == [
        tell_event(1, "Page Viewed", {"url": "https://shop.example/pricing"}),
        tell_event(4, "Order Completed", {"order_id": "A-1", "revenue": 42.5}),
    ]
    # Its group call takes neither a time nor an id: both are the client's own.
    row = Event.objects.get(name="$group")
    assert timedelta() <= row.occurred_at - started < timedelta(minutes=2)
    assert UUID(row.message_id).version == 7
    assert (group["who"], group["properties"]) == (
        "ada",
        {"group_id": "acme", "group_type": "company", "traits": {"seats": 5}},
    )


def tell_event(minute: int, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "who": "ada",
        "name": name,
        "at": f"2025-03-04T12:{minute:02}:00+00:00",
        "message_id": number(minute),
        "properties": properties,
    }


def check_ada() -> None:
    ada = Contact.objects.get(external_id="ada")
    assert Contact.objects.canonical().count() == 1
    assert ada.traits == {
        "email": "ada@example.com",
        "plan": "pro",
        "came_by": "advert",
        "visits": 3,
    }
    assert ada.email == "ada@example.com"
    assert list_identifiers(ada) == {
        ("external_id", "ada"),
        ("external_id", "browser-1"),
        ("anonymous_id", "browser-1"),
        ("email", "ada@example.com"),
    }
    order = Event.objects.get(name="Order Completed")
    assert (order.value, order.source) == (Decimal("42.5"), "posthog")
