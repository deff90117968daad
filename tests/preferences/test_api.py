from __future__ import annotations

from uuid import uuid4

import pytest

from crm.models import ApiKey
from preferences.models import ConsentRecord


@pytest.fixture
def call(client):
    """Call the API with a key of these scopes."""

    def send(method, path, body=None, *, scopes=("read", "track", "send")):
        _, secret = ApiKey.issue(name="test", scopes=list(scopes))
        return getattr(client, method)(
            path,
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )

    return send


@pytest.fixture
def path(contact):
    return f"/api/contacts/{contact.uuid}/preferences/"


def test_preferences_are_read(call, path, contact, center):
    response = call("get", path)
    assert response.status_code == 200
    body = response.json()
    assert body["contact"] == str(contact.uuid)
    assert (body["center"], body["wording_version"]) == (center.pk, 1)
    assert body["topics"]["promotions"]["subscribed"] is False


def test_put_changes_what_it_names_and_is_idempotent(call, path, center):
    body = {"topics": {"promotions": True}, "channels": {"email": False}}
    for _ in range(2):
        response = call("put", path, body)
        assert response.status_code == 200
    assert response.json()["topics"]["promotions"]["subscribed"] is True
    assert response.json()["channels"]["email"] is False
    rows = list(ConsentRecord.objects.order_by("number"))
    assert len(rows) == 2
    assert {row.source for row in rows} == {"api"}
    assert rows[0].actor.startswith("api:apr_")


def test_a_fault_is_answered_with_its_path_and_nothing_is_kept(call, path, center):
    response = call("put", path, {"channels": {"push": True, "fax": True}})
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["path"]) == (
        "invalid",
        "channels.fax",
    )
    assert ConsentRecord.objects.count() == 0


@pytest.mark.parametrize(
    "query", ["?center=0", "?center=x", "?center=٣", "?center=%00"]
)
def test_an_unknown_center_is_404(call, path, center, query):
    assert call("get", path + query).status_code in (400, 404)


def test_an_unknown_contact_is_404(call, center):
    assert call("get", f"/api/contacts/{uuid4()}/preferences/").status_code == 404


def test_without_any_center_it_is_404(call, path):
    assert call("get", path).status_code == 404


def test_scopes_are_asked(call, client, path, center):
    assert client.get(path).status_code in (401, 403)
    assert call("put", path, {}, scopes=["read"]).status_code == 403
    link = path.replace("preferences", "preference-link")
    assert call("get", link, scopes=["read"]).status_code == 403


def test_the_link_opens_the_page(call, client, path, center):
    response = call("get", path.replace("preferences", "preference-link"))
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    local = "/" + response.json()["url"].split("/", 3)[3]
    assert client.get(local).status_code == 302
