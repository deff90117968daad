"""Keys, catalog, audit, events and quarantine in the admin."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.db.utils import IntegrityError
from django.test import Client
from django.utils import timezone

from crm.keys import revoke_api_key
from crm.models import ApiKey, AuditEntry, Brand, PendingEvent, Product
from crm.models.audit import record_audit
from crm.models.ids import make_uuid7
from tests.factories import (
    NOON,
    make_contact,
    make_device,
    make_event,
    make_product,
)

pytestmark = pytest.mark.django_db

MODELS = (
    "apikey",
    "auditentry",
    "brand",
    "contact",
    "device",
    "event",
    "eventname",
    "pendingevent",
    "catalog",
    "catalogitem",
    "feed",
)


QUERIES = ("", "?q=a", "?q=%00", "?o=-1.2", "?p=x", "?id__exact=%00", "?x=1")


@pytest.mark.parametrize("model", MODELS)
def test_each_list_answers_whatever_is_asked(
    model: str, admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    contact = make_contact()
    make_device(contact)
    make_event(contact)
    make_product()
    make_pending()
    for query in QUERIES:
        with django_assert_max_num_queries(30):
            response = admin_client.get(f"/admin/crm/{model}/{query}")
        assert response.status_code in (200, 302, 400), query


def test_a_key_is_shown_once_on_the_answer_itself(admin_client: Client) -> None:
    response = admin_client.post(
        "/admin/crm/apikey/add/", {"name": "shop", "scopes": ["track", "read"]}
    )
    assert response.status_code == 200
    secret = re.search(r"apr_[\w-]+", response.content.decode())
    assert secret is not None
    key = ApiKey.objects.matching(secret.group())
    assert key is not None
    assert (key.scopes, key.created_by.username) == (["track", "read"], "admin")
    assert "no-store" in response["Cache-Control"]
    assert not list(get_messages(response.wsgi_request))
    later = admin_client.get("/admin/crm/apikey/")
    assert secret.group() not in later.content.decode()
    assert ApiKey.objects.count() == 1


def test_revoking_ends_a_key_and_is_audited(admin_client: Client) -> None:
    key, _ = ApiKey.issue(name="old", scopes=["read"])
    body = {"action": "revoke", "_selected_action": [key.pk]}
    for _ in range(2):
        admin_client.post("/admin/crm/apikey/", body)
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["revoked"]


def test_rotating_shows_a_new_secret_once_and_keeps_the_old_for_a_day(
    admin_client: Client,
) -> None:
    key, old = ApiKey.issue(name="shop", scopes=["read"])
    body = {"action": "rotate", "_selected_action": [key.pk]}
    page = admin_client.post("/admin/crm/apikey/", body)

    secret = re.search(r"apr_[\w-]{30,}", page.content.decode())
    assert secret is not None
    assert ApiKey.objects.matching(secret.group()) == key
    assert ApiKey.objects.matching(old) == key
    assert "no-store" in page["Cache-Control"]
    assert b"rotating" in admin_client.get("/admin/crm/apikey/").content
    assert [row.action for row in AuditEntry.objects.all()] == ["rotated"]


def test_only_one_live_key_is_rotated_at_a_time(admin_client: Client) -> None:
    keys = [ApiKey.issue(name=name, scopes=["read"])[0] for name in ("a", "b")]
    body = {"action": "rotate", "_selected_action": [key.pk for key in keys]}
    both = admin_client.post("/admin/crm/apikey/", body, follow=True)
    assert b"one key at a time" in both.content
    revoke_api_key(keys[0], actor="test")
    body = {"action": "rotate", "_selected_action": [keys[0].pk]}
    ended = admin_client.post("/admin/crm/apikey/", body, follow=True)
    assert b"has ended" in ended.content
    assert not ApiKey.objects.exclude(old_key_hash=None).exists()


def test_a_product_is_saved_with_an_audit_row(admin_client: Client) -> None:
    body = {"catalog": "products", "code": "a", "name": "A", "price": "2.50"}
    body["attributes"] = '{"size": "M"}'
    admin_client.post("/admin/crm/catalogitem/add/", body)
    assert Product.objects.get().attributes == {"size": "M"}
    assert AuditEntry.objects.get().action == "added"
    bad = admin_client.post(
        "/admin/crm/catalogitem/add/", {**body, "code": "b", "attributes": '{"a": NaN}'}
    )
    assert b"a: NaN and Infinity" in bad.content
    assert Product.objects.count() == 1


def test_a_new_default_brand_takes_the_old_ones_place(admin_client: Client) -> None:
    old = Brand.objects.filter(is_default=True).first() or Brand.objects.create(
        name="Old", slug="old", is_default=True
    )
    body = {
        "name": "New",
        "slug": "new",
        "is_default": "on",
        "app_schemes": "myapp:// My-App.v2, myapp",
        "time_zone": "UTC",
        "locale": "en",
    }
    for wrong in ("[1]", "my app!", "1st", "a\x00"):
        bad = admin_client.post("/admin/crm/brand/add/", {**body, "app_schemes": wrong})
        assert (bad.status_code, Brand.objects.filter(slug="new").count()) == (200, 0)
    response = admin_client.post("/admin/crm/brand/add/", body)
    assert response.status_code == 302, response.context["errors"]
    old.refresh_from_db()
    assert not old.is_default
    brand = Brand.objects.default()
    assert (brand.name, brand.app_schemes) == ("New", ["myapp", "my-app.v2"])
    page = admin_client.get(f"/admin/crm/brand/{brand.pk}/change/").content.decode()
    assert 'value="myapp, my-app.v2"' in page


def make_pending(**fields: Any) -> PendingEvent:
    return PendingEvent.objects.create(
        event_id=make_uuid7(),
        occurred_at=NOON,
        contact=make_contact(),
        name="Viewed",
        **fields,
    )


@pytest.mark.parametrize(("action", "left"), [("retry", 2), ("drop", 1)])
def test_only_quarantined_rows_are_retried_or_dropped(
    action: str, left: int, admin_client: Client
) -> None:
    waiting = make_pending(attempts=1)
    bad = make_pending(attempts=3, last_error="boom", quarantined_at=timezone.now())
    body = {"action": action, "_selected_action": [waiting.pk, bad.pk]}
    admin_client.post("/admin/crm/pendingevent/", body)
    assert PendingEvent.objects.filter(quarantined_at=None).count() == left
    waiting.refresh_from_db()
    assert waiting.attempts == 1
    assert AuditEntry.objects.count() == 1


def test_the_trail_can_not_be_changed(admin_client: Client) -> None:
    entry = record_audit(actor="test", action="edited", on=make_contact())
    for path in ("add/", f"{entry.pk}/delete/"):
        assert admin_client.get(f"/admin/crm/auditentry/{path}").status_code == 403
    assert admin_client.get(
        f"/admin/crm/auditentry/{entry.pk}/change/"
    ).status_code == (200)
    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as c:
        c.execute("UPDATE crm_auditentry SET action = 'x'")


def test_the_history_of_one_object_is_found(admin_client: Client) -> None:
    contact = make_contact()
    record_audit(actor="test", action="edited", on=contact)
    record_audit(actor="test", action="edited", on=make_product())
    response = admin_client.get(
        "/admin/crm/auditentry/", {"q": f"crm.contact {contact.pk}"}
    )
    assert response.context["cl"].result_list[0].object_name == str(contact)
    assert len(response.context["cl"].result_list) == 1


def test_a_device_is_found_by_its_token_which_is_never_shown(
    admin_client: Client,
) -> None:
    device = make_device(token="abcdefgh-secret-12345678")
    make_device()
    response = admin_client.get("/admin/crm/device/", {"q": device.token})
    assert [row.pk for row in response.context["cl"].result_list] == [device.pk]
    page = admin_client.get(f"/admin/crm/device/{device.pk}/change/")
    assert b"12345678" in page.content
    assert device.token.encode() not in page.content


def test_an_empty_list_says_what_to_do_and_an_empty_search_what_it_takes(
    admin_client: Client,
) -> None:
    empty = admin_client.get("/admin/crm/apikey/").content.decode()
    assert "No API keys yet" in empty
    assert "Your apps and servers need one" in empty
    make_contact("ada")
    searched = admin_client.get("/admin/crm/contact/?q=zz").content.decode()
    assert "Nothing matches" in searched
    assert "Show all contacts" in searched
    assert "New contact" not in searched


def test_a_key_is_made_alone(admin_client: Client) -> None:
    page = admin_client.get("/admin/crm/apikey/add/").content.decode()
    assert 'name="_save"' in page
    assert "_addanother" not in page
    assert "_continue" not in page


def test_a_list_of_events_speaks_in_words(admin_client: Client) -> None:
    contact = make_contact("ada", traits={"first_name": "Ada"})
    lines = [{"code": "a", "price": 89.0}]
    make_event(contact, occurred_at=NOON, properties={"products": lines})
    page = admin_client.get("/admin/crm/event/").content.decode()
    assert "products: (code: a, price: 89)" in page
    assert f'href="/admin/crm/contact/{contact.pk}/change/">Ada</a>' in page
    assert f"{NOON:%-d %b %Y, %H:%M}" in page
