"""Bad calls of Customer.io's API: each says where it is wrong, and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from crm.models import Contact
from tests.callers import POISON, Caller

pytestmark = pytest.mark.django_db
AT = 1_741_089_600  # 2025-03-04 12:00 UTC


# Addresses with a right body, and one that is wrong in its own way.
ROUTES: list[tuple[str, str, Any, str]] = [
    ("PUT", "/api/v1/customers/ada", {"_timestamp": -1}, "_timestamp"),
    ("PUT", "/api/v1/customers/ada", {"_timestamp": AT * 1000}, "_timestamp"),
    ("PUT", "/api/v1/customers/ada", {"_timestamp": 1e300}, "_timestamp"),
    ("PUT", "/api/v1/customers/ada", {"_timestamp": True}, "_timestamp"),
    ("PUT", "/api/v1/customers/ada", {"_timestamp": "soon"}, "_timestamp"),
    ("PUT", "/api/v1/customers/ada", {"_update": "yes"}, "_update"),
    ("PUT", "/api/v1/customers/ada", {"id": "bob"}, "id"),
    ("PUT", "/api/v1/customers/ada", {"anonymous_id": []}, "anonymous_id"),
    (
        "PUT",
        "/api/v1/customers/ada",
        {"cio_subscription_preferences": "{"},
        "cio_subscription_preferences",
    ),
    (
        "PUT",
        "/api/v1/customers/ada",
        {"cio_relationships": {"relationships": [{}]}},
        "cio_relationships.relationships[0].identifiers",
    ),
    ("PUT", f"/api/v1/customers/{'x' * 250}", {}, "identifier"),
    ("PUT", "/api/v1/customers/%20", {}, "identifier"),
    ("DELETE", "/api/v1/customers/ada", [1], ""),
    ("POST", "/api/v1/customers/ada/events", {}, "name"),
    ("POST", "/api/v1/customers/ada/events", {"name": 1}, "name"),
    ("POST", "/api/v1/customers/ada/events", {"name": "x" * 201}, "name"),
    ("POST", "/api/v1/customers/ada/events", {"name": "a", "type": "b"}, "type"),
    ("POST", "/api/v1/customers/ada/events", {"name": "a", "data": "b"}, "data"),
    ("POST", "/api/v1/customers/ada/events", {"name": "a", "id": "x" * 101}, "id"),
    (
        "POST",
        "/api/v1/customers/ada/events",
        {"name": "a", "timestamp": 4_200_000_000},
        "timestamp",
    ),
    ("POST", "/api/v1/events", {"name": "a"}, "anonymous_id"),
    ("POST", "/api/v1/customers/ada/suppress", "text", ""),
    ("PUT", "/api/v1/customers/ada/devices", {}, "device"),
    ("PUT", "/api/v1/customers/ada/devices", {"device": []}, "device"),
    (
        "PUT",
        "/api/v1/customers/ada/devices",
        {"device": {"id": "a b", "platform": "ios"}},
        "device.id",
    ),
    (
        "PUT",
        "/api/v1/customers/ada/devices",
        {"device": {"id": "x" * 4097, "platform": "ios"}},
        "device.id",
    ),
    (
        "PUT",
        "/api/v1/customers/ada/devices",
        {"device": {"id": "t", "platform": "tv"}},
        "device.platform",
    ),
    ("DELETE", "/api/v1/customers/ada/devices/a%20b", {}, "token"),
    ("POST", "/api/v1/merge_customers", {}, "primary"),
    ("POST", "/api/v1/merge_customers", {"primary": {"id": "a"}}, "secondary"),
    (
        "POST",
        "/api/v1/merge_customers",
        {"primary": {"phone": "1"}, "secondary": {"id": "b"}},
        "primary",
    ),
    (
        "POST",
        "/api/v1/merge_customers",
        {"primary": {"id": "a"}, "secondary": {"id": "a"}},
        "secondary",
    ),
    ("POST", "/api/v2/entity", {}, "type"),
    ("POST", "/api/v2/entity", {"type": "person", "action": []}, "action"),
    ("POST", "/api/v2/batch", {}, "batch"),
    ("POST", "/api/v2/batch", {"batch": []}, "batch"),
    ("GET", "/v1/customers", b"", "email"),
    ("GET", "/v1/customers?email=ada", b"", "email"),
]


@pytest.mark.parametrize(("method", "path", "body", "where"), ROUTES)
def test_a_bad_call_is_told_where_and_changes_nothing(
    api: Caller, method: str, path: str, body: Any, where: str
) -> None:
    answer = api.send(method, path, body)
    said = answer.json()
    assert (answer.status_code, said["path"]) == (400, where)
    assert set(said) == {"code", "path", "message", "detail", "meta"}
    assert said["meta"]["error"].endswith(said["message"])
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/customers/ada"),
        ("DELETE", "/api/v1/customers/ada"),
        ("POST", "/api/v1/customers/ada/events"),
        ("POST", "/api/v1/customers/ada/suppress"),
        ("POST", "/api/v1/customers/ada/unsuppress"),
        ("PUT", "/api/v1/customers/ada/devices"),
        ("DELETE", "/api/v1/customers/ada/devices/t1"),
        ("POST", "/api/v1/events"),
        ("POST", "/api/v1/merge_customers"),
        ("POST", "/api/v2/entity"),
    ],
)
def test_poison_is_refused_by_every_address(
    api: Caller, method: str, path: str
) -> None:
    answers = [api.send(method, path, body) for body, *_ in POISON]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (status, code) for _, status, code in POISON
    ]
    assert not Contact.objects.exists()
