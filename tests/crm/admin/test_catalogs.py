"""Catalogs, items and feeds in the admin."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm import bell
from crm.models import AuditEntry, Catalog, CatalogItem, Feed
from tests.factories import make_catalog, make_item

pytestmark = pytest.mark.django_db
LINES = "sizes list required\nwaterproof boolean"
FIELDS = [
    {"name": "sizes", "type": "list", "required": True},
    {"name": "waterproof", "type": "boolean", "required": False},
]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)


def test_fields_are_written_a_line_each(admin_client: Client) -> None:
    body = {"name": "Shoes", "slug": "shoes", "kind": "products"}
    admin_client.post("/admin/crm/catalog/add/", {**body, "fields_typed": LINES})
    assert Catalog.objects.get(slug="shoes").fields == FIELDS
    page = admin_client.get("/admin/crm/catalog/shoes/change/").content.decode()
    assert LINES in page
    changed = {"name": "Footwear", "fields_typed": "sizes list"}
    admin_client.post("/admin/crm/catalog/shoes/change/", changed)
    shoes = Catalog.objects.get(slug="shoes")
    assert (shoes.name, shoes.kind) == ("Footwear", "products")
    assert shoes.fields == [{"name": "sizes", "type": "list", "required": False}]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("sizes", "a name, a type"),
        ("sizes list always", "a name, a type"),
        ("sizes colour", "fields[0].type"),
        ("price number", "has price already"),
    ],
)
def test_a_wrong_line_is_refused(lines: str, words: str, admin_client: Client) -> None:
    body = {"name": "Shoes", "slug": "shoes", "kind": "products"}
    answer = admin_client.post(
        "/admin/crm/catalog/add/", {**body, "fields_typed": lines}
    )
    assert words in answer.content.decode()
    assert not Catalog.objects.filter(slug="shoes").exists()


def test_a_secret_is_shown_on_one_answer_only(admin_client: Client) -> None:
    make_catalog("news")
    answer = admin_client.post("/admin/crm/catalog/news/webhook/open/")
    found = re.search(r"whsec_[\w+/]+=", answer.content.decode())
    assert found is not None
    assert found[0] == Catalog.objects.get(slug="news").webhook_secret
    page = admin_client.get("/admin/crm/catalog/news/change/").content.decode()
    assert found[0] not in page
    assert "Webhook open" in page
    assert admin_client.get("/admin/crm/catalog/news/webhook/open/").status_code == 405
    admin_client.post("/admin/crm/catalog/news/webhook/close/")
    assert Catalog.objects.get(slug="news").webhook_secret == ""


def test_an_item_is_edited_by_its_catalogs_fields(admin_client: Client) -> None:
    shoes = make_catalog("shoes", kind="products", fields=FIELDS)
    item = make_item(shoes, "a", price=Decimal(100), attributes={"sizes": ["41"]})
    address = f"/admin/crm/catalogitem/{item.pk}/change/"
    body = {"name": "A", "price": "80", "attributes": '{"sizes": []}'}
    refused = admin_client.post(address, body)
    assert "sizes: This field is required." in refused.content.decode()
    admin_client.post(address, {**body, "attributes": '{"sizes": "41, 42"}'})
    item.refresh_from_db()
    assert (item.price, item.attributes) == (80, {"sizes": ["41", "42"]})
    assert [change.event for change in item.changes.all()] == ["Price Dropped"]
    page = admin_client.get(address).content.decode()
    assert "100.00 → 80.00" in page


def test_items_are_archived_together(admin_client: Client) -> None:
    items = [make_item(make_catalog(slug), "a") for slug in ("one", "two")]
    body = {"action": "archive", "_selected_action": [item.pk for item in items]}
    page = admin_client.post("/admin/crm/catalogitem/", body, follow=True)
    assert "2 items archived." in page.content.decode()
    assert not CatalogItem.objects.live().exists()
    assert "archived" in page.content.decode()


def test_a_feed_is_asked_at_once_and_again_on_demand(admin_client: Client) -> None:
    make_catalog("news")
    body: dict[str, Any] = {"catalog": "news", "every_min": 30, "is_active": "on"}
    page = admin_client.post(
        "/admin/crm/feed/add/", {**body, "url": "http://a.no/feed"}
    )
    assert "Only https:// is asked." in page.content.decode()
    admin_client.post("/admin/crm/feed/add/", {**body, "url": "https://a.no/feed"})
    feed = Feed.objects.get()
    assert feed.next_fetch_at <= timezone.now()
    Feed.objects.update(next_fetch_at=timezone.now() + timedelta(hours=1))
    act = {"action": "fetch_now", "_selected_action": [feed.pk]}
    admin_client.post("/admin/crm/feed/", act)
    feed.refresh_from_db()
    assert feed.next_fetch_at <= timezone.now()
    assert AuditEntry.objects.filter(action="added").count() == 1
