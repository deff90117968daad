"""The REST API of contacts, devices and products, and its faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from crm import bell, profiles
from crm.api import auth
from crm.events.merge import merge_contacts
from crm.models import AuditEntry, Contact, Device, PendingEvent, Product
from crm.privacy import erase_contact
from tests.factories import (
    make_api_key,
    make_contact,
    make_device,
    make_event,
    make_product,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    auth.forget_keys()
    yield
    auth.forget_keys()


@pytest.fixture
def client() -> Client:
    secret = make_api_key("read", "track")
    return Client(headers={"Authorization": f"Bearer {secret}"})


def send(client: Client, method: str, path: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.generic(method, path, raw, content_type="application/json")


def test_contacts_are_found_by_email_without_case_and_by_external_id(
    client: Client,
) -> None:
    ann = make_contact("u1", email="Ann@Example.com")
    make_contact("u2")
    for query in ("email=ann@example.COM", "external_id=u1"):
        answer = client.get(f"/api/contacts/?{query}").json()
        assert [row["uuid"] for row in answer["results"]] == [str(ann.uuid)]


def test_a_contact_is_read_by_uuid_or_external_id_with_devices(client: Client) -> None:
    contact = make_contact("u1")
    make_device(contact, token="secret-token")
    for name in ("u1", str(contact.uuid)):
        answer = client.get(f"/api/contacts/{name}/")
        assert answer.json()["external_id"] == "u1"
        assert len(answer.json()["devices"]) == 1
        assert b"secret-token" not in answer.content


def test_a_merged_contact_answers_as_its_canonical_one(client: Client) -> None:
    old, new = make_contact("old"), make_contact("new")
    merge_contacts(source_id=old.pk, target_id=new.pk, actor="test")
    for name in ("old", str(old.uuid)):
        assert client.get(f"/api/contacts/{name}/").json()["external_id"] == "new"


def test_events_of_a_contact_come_newest_first(client: Client) -> None:
    contact = make_contact("u1")
    for day in (1, 3, 2):
        make_event(contact, name=f"day {day}", occurred_at=f"2026-01-0{day}T00:00Z")
    make_event(make_contact("u2"))
    answer = client.get("/api/contacts/u1/events/").json()
    assert [row["name"] for row in answer["results"]] == ["day 3", "day 2", "day 1"]


def test_a_contact_is_made_and_changed_through_the_one_door(client: Client) -> None:
    made = send(
        client,
        "POST",
        "/api/contacts/",
        {"external_id": "u1", "traits": {"email": "a@b.co", "plan": "free"}},
    )
    assert made.status_code == 201
    changed = send(
        client, "PATCH", "/api/contacts/u1/", {"traits": {"plan": None, "n": 1}}
    )
    assert changed.json()["traits"] == {"email": "a@b.co", "n": 1}
    contact = Contact.objects.get()
    assert (contact.email, contact.external_id) == ("a@b.co", "u1")
    assert PendingEvent.objects.count() == 2
    assert {row.actor_name[:4] for row in AuditEntry.objects.all()} == {"api:"}


def test_a_device_is_registered_and_leaves_its_former_owner(client: Client) -> None:
    make_device(make_contact("u1"), token="tok")
    make_contact("u2")
    body = {"contact": "u2", "token": "tok", "platform": "ios"}
    assert send(client, "POST", "/api/devices/", body).status_code == 201
    device = Device.objects.get()
    assert (device.contact.external_id, device.platform) == ("u2", "ios")
    listed = client.get("/api/devices/?contact=u2").json()["results"]
    assert [row["id"] for row in listed] == [device.pk]


@pytest.mark.parametrize(
    ("_case", "change", "path"),
    [
        ("empty token", {"token": ""}, "token"),
        ("10 kB token", {"token": "x" * 10_000}, "token"),
        ("spaces", {"token": "a b"}, "token"),
        ("nobody", {"contact": "nobody"}, "contact"),
        ("zone", {"time_zone": "(GMT-08:00)"}, "time_zone"),
        ("platform", {"platform": "symbian"}, "platform"),
    ],
)
def test_a_wrong_device_is_400_with_its_path(
    _case: str, change: dict[str, str], path: str, client: Client
) -> None:
    make_contact("u1")
    body = {"contact": "u1", "token": "tok", "platform": "ios", **change}
    answer = send(client, "POST", "/api/devices/", body)
    assert (answer.status_code, answer.json()["path"]) == (400, path)
    assert not Device.objects.exists()


def test_products_are_upserted_by_code(client: Client) -> None:
    make_product("a", name="Old")
    rows = [{"code": "a", "name": "New", "price": "2.50"}, {"code": "b", "name": "B"}]
    answer = send(client, "POST", "/api/products/", {"products": rows})
    assert answer.json() == {"saved": 2}
    assert dict(Product.objects.values_list("code", "name")) == {"a": "New", "b": "B"}
    assert client.get("/api/products/a/").json()["price"] == "2.50"


def test_a_wrong_product_keeps_none_and_names_its_row(client: Client) -> None:
    rows = [{"code": "a", "name": "A"}, {"code": "b", "name": "B", "price": "-1"}]
    answer = send(client, "POST", "/api/products/", {"products": rows})
    assert answer.status_code == 400
    assert answer.json()["path"] == "products[1].price"
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("_case", "body", "status", "code", "path"),
    [
        ("null", rb'{"traits":{"k":"\u0000"}}', 400, "null_character", "traits.k"),
        ("surrogate", rb'{"traits":{"k":"\ud800"}}', 400, "lone_surrogate", "traits.k"),
        ("NaN", b'{"traits":{"k":NaN}}', 400, "not_a_number", "traits.k"),
        ("1e400", b'{"traits":{"k":1e400}}', 400, "number_out_of_range", "traits.k"),
        ("deep", b"[" * 100_000, 400, "too_deep", ""),
        ("big", b" " * 600_000, 413, "body_too_large", ""),
        ("utf-16", "{}".encode("utf-16"), 400, "invalid_utf8", ""),
        ("list", b"[]", 400, "invalid", ""),
        ("text", b'{"traits":"x"}', 400, "not_a_dict", "traits"),
    ],
)
def test_a_bad_body_is_refused_with_its_path(
    _case: str, body: bytes, status: int, code: str, path: str, client: Client
) -> None:
    make_contact("u1")
    answer = send(client, "PATCH", "/api/contacts/u1/", body)
    assert answer.status_code == status
    said = answer.json()
    assert (said["code"], said["path"]) == (code, path)
    assert Contact.objects.get().traits == {}


def test_the_charset_of_a_label_is_ignored(client: Client) -> None:
    make_contact("u1")
    for charset in ("bogus", "utf-7", "utf-16"):
        answer = client.generic(
            "PATCH",
            "/api/contacts/u1/",
            b'{"traits":{}}',
            content_type=f"application/json; charset={charset}",
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/contacts/%00/",
        "/api/contacts/%ff/",
        f"/api/contacts/{10**23}/",
        "/api/contacts/?email=%00",
        "/api/contacts/?email=%ff",
        "/api/contacts/?cursor=%ff",
        "/api/contacts/?cursor=cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk%3D",
        "/api/contacts/?page_size=-5",
        "/api/products/%00/",
        "/api/devices/?contact=%00",
        "/api/contacts/nobody/events/",
    ],
)
def test_odd_addresses_are_never_a_500(path: str, client: Client) -> None:
    answer = client.get(path)
    assert answer.status_code in (200, 400, 404)
    assert answer["Content-Type"] == "application/json"


def test_a_wrong_cursor_is_a_wrong_value(client: Client) -> None:
    for kind in ("contacts", "events", "products"):
        answer = client.get(f"/api/{kind}/?cursor=x")
        said = answer.json()
        assert (answer.status_code, said["path"]) == (400, "cursor")
        assert said["message"] == "Not a cursor of ours."


@pytest.mark.parametrize(
    "path", ["/api/catalogs/products/items/", "/api/catalogs/none/items/x/"]
)
def test_what_may_be_asked_is_told_without_looking_for_a_row(
    path: str, client: Client
) -> None:
    answer = client.options(path)
    assert answer.status_code == 200
    assert "actions" not in answer.json()


def test_a_key_without_the_scope_reads_nothing_and_changes_nothing() -> None:
    make_contact("u1")
    client = Client(headers={"Authorization": f"Bearer {make_api_key('track')}"})
    assert client.get("/api/contacts/").status_code == 403
    reader = Client(headers={"Authorization": f"Bearer {make_api_key('read')}"})
    answer = send(reader, "PATCH", "/api/contacts/u1/", {"traits": {"a": 1}})
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"
    assert Contact.objects.get().traits == {}


def test_nobody_reads_without_a_key() -> None:
    answer = Client().get("/api/contacts/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_the_documentation_is_open_and_offline() -> None:
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    assert b"https://" not in page.content
    schema = Client().get("/api/schema/?format=json").json()
    assert "/api/contacts/{id}/" in schema["paths"]


def test_staff_without_rights_to_contacts_read_none() -> None:
    user = User.objects.create_user("clerk", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get("/api/contacts/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_contact"))
    assert client.get("/api/contacts/").status_code == 200


def test_reading_contacts_takes_few_queries(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(30):
        make_device(make_contact(f"u{n}"))
    with django_assert_max_num_queries(4):
        client.get("/api/contacts/")


def test_an_erased_contact_is_gone_for_good_and_says_so(client: Client) -> None:
    make_contact("ada", email="ada@example.com")
    assert client.delete("/api/contacts/ada/").status_code == 403
    assert Contact.objects.canonical().count() == 1
    boss = Client(headers={"Authorization": f"Bearer {make_api_key('admin')}"})
    answer = boss.delete("/api/contacts/ada/?reason=asked")
    assert answer.json()["erased"]["crm.contact"] == 1
    assert AuditEntry.objects.get(action="erased").reason == "asked"
    assert boss.delete("/api/contacts/ada/").status_code == 404
    body = {"external_id": "ada", "traits": {"plan": "pro"}}
    again = send(client, "POST", "/api/contacts/", body)
    assert (again.status_code, again.json()["code"]) == (409, "erased")
    assert not Contact.objects.canonical().exists()


@pytest.mark.parametrize("external_id", ["u1", None])
def test_an_edit_of_somebody_erased_meanwhile_is_refused(
    external_id: str | None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = make_contact(external_id)
    make = profiles.make_identify

    def erase_then_make(*said: Any, **keys: Any) -> Any:
        erase_contact(Contact.objects.get(pk=contact.pk), actor="test")
        return make(*said, **keys)

    monkeypatch.setattr(profiles, "make_identify", erase_then_make)
    path = f"/api/contacts/{contact.uuid}/"
    answer = send(client, "PATCH", path, {"traits": {"plan": "pro"}})

    assert (answer.status_code, answer.json()["code"]) == (409, "erased")
    assert not AuditEntry.objects.filter(action="edited").exists()


def test_an_edit_of_somebody_whom_nothing_leads_to_any_more_finds_nobody(
    client: Client,
) -> None:
    contact = make_contact(None)
    contact.identifiers.all().delete()
    path = f"/api/contacts/{contact.uuid}/"
    assert send(client, "PATCH", path, {"traits": {}}).status_code == 404


def test_staff_who_may_change_a_contact_may_not_erase_it() -> None:
    make_contact("ada")
    user = User.objects.create_user("clerk", is_staff=True)
    clerk = Client()
    clerk.force_login(user, "django.contrib.auth.backends.ModelBackend")
    user.user_permissions.set(Permission.objects.filter(codename="change_contact"))
    assert clerk.delete("/api/contacts/ada/").status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename="delete_contact"))
    assert clerk.delete("/api/contacts/ada/").status_code == 200
