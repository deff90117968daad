"""Merge and undo over the API: by scope, with a code for each refusal."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from crm.api import auth
from crm.events.merge import merge_contacts
from crm.models import AuditEntry, Contact, Event, Merge
from tests.factories import make_api_key, make_contact, make_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    auth.forget_keys()
    return Client(HTTP_AUTHORIZATION=f"Bearer {make_api_key('admin')}")


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def test_a_merge_and_its_undo_are_told_with_who_and_why(client: Client) -> None:
    gone, stayed = make_contact("old"), make_contact("new")
    event = make_event(gone)
    path = "/api/contacts/old/merge/"
    answer = post(client, path, into=str(stayed.uuid), reason="same person")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["source"], told["target"]) == (str(gone.uuid), str(stayed.uuid))
    assert (told["reason"], told["undone_at"]) == ("same person", None)
    assert told["made_by"].startswith("api:")
    assert Event.objects.get().contact == stayed
    resolved = client.get(f"/api/contacts/{gone.uuid}/").json()
    assert resolved["uuid"] == str(stayed.uuid)
    assert client.get("/api/merges/").json()["results"] == [told]

    undone = post(client, f"/api/merges/{told['id']}/undo/", reason="no, two")
    assert undone.status_code == 200
    assert undone.json()["undone_by"].startswith("api:")
    event = Event.objects.get()
    assert event.contact == gone
    assert client.get("/api/contacts/old/").json()["uuid"] == str(gone.uuid)
    reasons = AuditEntry.objects.order_by("pk").values_list("action", "reason")
    assert list(reasons) == [("merged", "same person"), ("unmerged", "no, two")]


def test_each_refusal_has_its_code_and_changes_nothing(client: Client) -> None:
    old, new, third = (make_contact(name) for name in ("old", "new", "third"))
    merge_contacts(source_id=old.pk, target_id=new.pk, actor="test")
    first = Merge.objects.get()
    merge_contacts(source_id=new.pk, target_id=third.pk, actor="test")
    erased = make_contact("gone", erased_at=third.created_at)
    cases = [
        ("/api/contacts/old/merge/", {"into": "third"}, 409, "same", ""),
        ("/api/contacts/third/merge/", {"into": "nobody"}, 400, "invalid", "into"),
        ("/api/contacts/third/merge/", {}, 400, "required", "into"),
        ("/api/contacts/third/merge/", {"into": str(erased.uuid)}, 409, "erased", ""),
        ("/api/contacts/nobody/merge/", {"into": "third"}, 404, "not_found", ""),
        (f"/api/merges/{first.pk}/undo/", {}, 409, "merged", ""),
        ("/api/merges/999999/undo/", {}, 404, "not_found", ""),
        (
            f"/api/merges/{first.pk}/undo/",
            {"reason": "x" * 201},
            400,
            "max_length",
            "reason",
        ),
    ]
    for path, body, status, code, where in cases:
        answer = post(client, path, **body)
        told = answer.json()
        assert (answer.status_code, told["code"], told["path"]) == (
            status,
            code,
            where,
        ), path
        assert told["message"]
    assert Merge.objects.standing().count() == 2
    assert Contact.objects.canonical().count() == 1


def test_only_keys_for_administration_merge() -> None:
    make_contact("old")
    make_contact("new")
    for scope in ("track", "read", "send"):
        auth.forget_keys()
        client = Client(HTTP_AUTHORIZATION=f"Bearer {make_api_key(scope)}")
        assert post(client, "/api/contacts/old/merge/", into="new").status_code == 403
    assert not Merge.objects.exists()
