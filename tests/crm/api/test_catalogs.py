"""The REST API of catalogs and their items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crm import bell
from crm.api import auth
from crm.models import AuditEntry, Catalog, CatalogItem
from tests.factories import make_api_key, make_catalog, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    auth.forget_keys()
    yield
    auth.forget_keys()


@pytest.fixture
def client() -> Client:
    secret = make_api_key("read", "track", "admin")
    return Client(headers={"Authorization": f"Bearer {secret}"})


def send(client: Client, method: str, path: str, body: Any) -> Any:
    raw = json.dumps(body).encode()
    return client.generic(method, path, raw, content_type="application/json")


def test_a_catalog_is_made_with_typed_fields(client: Client) -> None:
    body = {
        "slug": "shoes",
        "name": "Shoes",
        "kind": "products",
        "fields": [{"name": "sizes", "type": "list", "required": True}],
    }
    made = send(client, "POST", "/api/catalogs/", body)
    assert (made.status_code, made.json()["slug"]) == (201, "shoes")
    named = send(client, "PATCH", "/api/catalogs/shoes/", {"name": "Footwear"})
    assert named.json()["fields"] == body["fields"]
    assert Catalog.objects.get(slug="shoes").name == "Footwear"
    assert [row.action for row in AuditEntry.objects.order_by("pk")] == [
        "added",
        "edited",
    ]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"slug": "a b"}, "slug"),
        ({"slug": "products"}, "slug"),
        ({"kind": "x"}, "kind"),
        ({"fields": [{"name": "price", "type": "text"}]}, "fields[0].name"),
        ({"fields": [{"name": "x", "type": "colour"}]}, "fields[0].type"),
    ],
)
def test_a_wrong_catalog_is_400_with_its_path(
    change: dict[str, Any], path: str, client: Client
) -> None:
    before = Catalog.objects.count()
    body = {"slug": "shoes", "name": "Shoes", "kind": "products", **change}
    answer = send(client, "POST", "/api/catalogs/", body)
    assert (answer.status_code, answer.json()["path"]) == (400, path)
    assert Catalog.objects.count() == before


def test_items_are_upserted_and_wrong_rows_listed(client: Client) -> None:
    make_item(make_catalog("shoes"), "a", name="Old")
    rows = [{"code": "a", "name": "New"}, {"code": "b"}, 7, {"code": "c", "name": "C"}]
    answer = send(client, "PUT", "/api/catalogs/shoes/items/", {"items": rows})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["new"], told["changed"], told["unchanged"]) == (1, 1, 0)
    assert [(r["index"], r["path"], r["code"]) for r in told["rejected"]] == [
        (1, "name", "required"),
        (2, "", "invalid_type"),
    ]
    listed = client.get("/api/catalogs/shoes/items/").json()["results"]
    assert [row["name"] for row in listed] == ["New", "C"]


def test_prices_alone_may_be_sent(client: Client) -> None:
    make_item(make_catalog("shoes"), "a", name="Boot", category="Boots")
    rows = [{"code": "a", "price": "99.00", "stock": 3}]
    told = send(client, "PATCH", "/api/catalogs/shoes/items/", {"items": rows}).json()
    assert told["changed"] == 1
    item = CatalogItem.objects.get()
    assert (item.name, item.category, str(item.price)) == ("Boot", "Boots", "99.00")


def test_an_item_is_archived_and_still_read_by_its_code(client: Client) -> None:
    make_item(make_catalog("shoes"), "a")
    assert client.delete("/api/catalogs/shoes/items/a/").status_code == 204
    assert client.get("/api/catalogs/shoes/items/").json()["results"] == []
    assert client.get("/api/catalogs/shoes/items/a/").json()["archived_at"]
    assert client.get("/api/catalogs/shoes/items/b/").status_code == 404
    assert client.get("/api/catalogs/gone/items/").status_code == 404


def test_more_than_a_thousand_rows_are_refused_whole(client: Client) -> None:
    make_catalog("shoes")
    rows = [{"code": str(n), "name": "A"} for n in range(1_001)]
    answer = send(client, "PUT", "/api/catalogs/shoes/items/", {"items": rows})
    assert (answer.status_code, answer.json()["path"]) == (400, "items")
    assert not CatalogItem.objects.exists()
