"""Staff erase a person, find who was erased, and let them back: each with its right."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from crm.models import AuditEntry, Contact, Tombstone
from crm.privacy import erase_contact
from tests.factories import make_contact, make_device

pytestmark = pytest.mark.django_db


def log_in(*rights: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def test_staff_erase_with_a_reason_after_seeing_what_goes() -> None:
    ada = make_contact("ada", email="ada@example.com")
    make_device(ada)
    client = log_in("view_contact", "delete_contact")
    assert (
        "Erase" in client.get(f"/admin/crm/contact/{ada.pk}/change/").content.decode()
    )
    page = client.get(f"/admin/crm/contact/{ada.pk}/erase/").content.decode()
    assert "Devices" in page
    answer = client.post(f"/admin/crm/contact/{ada.pk}/erase/now/", {"reason": "asked"})
    assert answer["Location"] == "/admin/crm/contact/"
    assert not Contact.objects.canonical().exists()
    deed = AuditEntry.objects.get(action="erased")
    assert (deed.actor_name, deed.reason) == ("clerk", "asked")


def test_without_the_right_nobody_is_erased() -> None:
    ada = make_contact("ada")
    client = log_in("view_contact", "change_contact")
    page = client.get(f"/admin/crm/contact/{ada.pk}/change/").content.decode()
    assert f"/admin/crm/contact/{ada.pk}/erase/" not in page
    for method, tail in ((client.get, "erase/"), (client.post, "erase/now/")):
        assert method(f"/admin/crm/contact/{ada.pk}/{tail}").status_code == 403
    assert Contact.objects.canonical().get() == ada


def test_the_erased_are_found_by_what_is_typed_and_let_back(
    admin_client: Client,
) -> None:
    path = "/admin/crm/tombstone/"
    assert "stays erased" in admin_client.get(path).content.decode()
    for name in ("ada", "bob"):
        contact = make_contact(name, email=f"{name}@example.com")
        erase_contact(contact, actor="test")
    ada, bob = Contact.objects.order_by("pk")
    page = admin_client.get(path).content.decode()
    assert page.count(f"Erased person {ada.pk}<") == 1
    found = admin_client.get(path, {"q": "ada@example.com"}).content.decode()
    assert f"Erased person {ada.pk}<" in found
    assert f"Erased person {bob.pk}<" not in found
    row = Tombstone.objects.filter(contact=ada).order_by("pk").first()
    assert row is not None
    admin_client.post(path, {"action": "lift", "_selected_action": [row.pk]})
    assert {stone.contact_id for stone in Tombstone.objects.all()} == {bob.pk}
    assert AuditEntry.objects.get(action="unerased").actor_name == "admin"


def test_who_may_only_look_lets_nobody_back() -> None:
    erase_contact(make_contact("ada"), actor="test")
    [row] = Tombstone.objects.all()
    client = log_in("view_tombstone")
    said = {"action": "lift", "_selected_action": [row.pk]}
    client.post("/admin/crm/tombstone/", said)
    assert Tombstone.objects.get() == row


def test_the_form_of_a_new_contact_says_who_was_erased(admin_client: Client) -> None:
    erase_contact(make_contact("ada"), actor="test")
    said = {"external_id": "ada", "traits": "{}"}
    answer = admin_client.post("/admin/crm/contact/add/", said)
    assert "was erased for good" in answer.content.decode()
    assert not Contact.objects.canonical().exists()


def test_an_edit_of_somebody_whose_identifiers_are_gone_says_so(
    admin_client: Client,
) -> None:
    contact = make_contact(None)
    contact.identifiers.all().delete()
    path = f"/admin/crm/contact/{contact.pk}/change/"
    answer = admin_client.post(path, {"traits": '{"plan": "pro"}'}, follow=True)
    assert answer.status_code == 200
    assert "this person was erased meanwhile" in answer.content.decode()
    contact.refresh_from_db()
    assert contact.traits == {}
