"""The signed webhook of a catalog."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from crm import bell
from crm.catalog.catalogs import close_webhook, open_webhook
from crm.catalog.signature import sign_message
from crm.models import AuditEntry, Catalog, CatalogChange, CatalogItem
from tests.crm.events.calls import run_together
from tests.factories import make_catalog, make_item

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)


def post(
    secret: str, said: Any, *, name: str = "msg_1", slug: str = "news", ago_s: int = 0
) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    sent_s = int(time.time()) - ago_s
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(sent_s),
        "webhook-signature": sign_message(secret, name, sent_s, body),
    }
    path = f"/v1/catalogs/{slug}/webhook"
    return Client(headers=headers).generic("POST", path, body)


def publish(**row: Any) -> dict[str, Any]:
    return {"type": "article.published", "data": {"code": "a", "name": "A", **row}}


@pytest.fixture
def secret() -> str:
    return open_webhook(make_catalog("news"), actor="test")


def test_a_published_article_is_in_the_catalog_and_news_once(secret: str) -> None:
    for repeat in (False, True):
        told = post(secret, publish(category="Trails")).json()
        assert (told["duplicate"], told["new"]) == (repeat, int(not repeat))
    assert CatalogItem.objects.get().category == "Trails"
    assert CatalogChange.objects.get().event == "New Content"
    changed = post(secret, publish(name="B"), name="msg_2").json()
    assert (changed["new"], changed["changed"]) == (0, 1)
    # What the second call did not say stays.
    item = CatalogItem.objects.get()
    assert (item.name, item.category) == ("B", "Trails")


def test_several_items_come_in_one_call_and_wrong_ones_are_listed(secret: str) -> None:
    rows = [{"code": "a", "name": "A"}, {"code": "b"}]
    told = post(secret, {"type": "articles.published", "data": {"items": rows}}).json()
    assert told["new"] == 1
    assert [(r["index"], r["path"]) for r in told["rejected"]] == [(1, "name")]


def test_an_article_that_is_gone_is_archived(secret: str) -> None:
    make_item(Catalog.objects.get(slug="news"), "a")
    said = {"type": "article.unpublished", "data": {"code": "a"}}
    assert post(secret, said).json()["archived"] == 1
    assert not CatalogItem.objects.live().exists()


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (b"{", ""),
        (b"[]", ""),
        ({"type": 7, "data": {}}, "type"),
        ({"type": "a.b"}, "data"),
        ({"type": "a.b", "data": {"items": []}}, "data"),
        ({"type": "a.b", "data": {"code": "a"}}, "items[0].name"),
        ({"type": "a.deleted", "data": {"name": "A"}}, "items[0].code"),
    ],
)
def test_a_call_that_says_nothing_is_400_and_may_be_tried_again(
    said: Any, path: str, secret: str
) -> None:
    refused = post(secret, said)
    assert (refused.status_code, refused.json()["path"]) == (400, path)
    assert not CatalogItem.objects.exists()
    assert post(secret, publish()).json()["new"] == 1


def test_what_is_not_signed_for_this_catalog_gets_one_answer(secret: str) -> None:
    make_catalog("closed")
    other = open_webhook(make_catalog("other"), actor="test")
    answers = [
        post(other, publish()),
        post(secret, publish(), slug="closed"),
        post(secret, publish(), slug="nowhere"),
        post(secret, publish(), ago_s=400),
        Client().post("/v1/catalogs/news/webhook", publish(), "application/json"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert Client().get("/v1/catalogs/news/webhook").status_code == 405
    assert not CatalogItem.objects.exists()


def test_a_new_secret_ends_the_old_one_and_is_kept_encrypted(secret: str) -> None:
    catalog = Catalog.objects.get(slug="news")
    fresh = open_webhook(catalog, actor="test")
    assert post(secret, publish()).status_code == 401
    assert post(fresh, publish()).status_code == 200
    stored = Catalog.objects.extra(select={"raw": "webhook_secret"})
    assert fresh not in str(stored.values_list("raw", flat=True).get(slug="news"))
    assert fresh not in str(list(AuditEntry.objects.values()))
    close_webhook(catalog, actor="test")
    assert post(fresh, publish(), name="msg_2").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_one_call_sent_by_eight_clients_at_once_has_one_effect() -> None:
    secret = open_webhook(make_catalog("news"), actor="test")
    answers = run_together([lambda: post(secret, publish()).json()] * 8)
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 7
    assert CatalogItem.objects.count() == 1
