from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from segments import membership
from segments.editing import save_segment
from segments.models import Segment
from tests.factories import make_api_key, make_contact

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
PRO = {
    "version": 1,
    "root": {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"},
}
WRONG = {
    "version": 1,
    "root": {"all": [PRO["root"], {"type": "event", "name": "a", "within": {}}]},
}


@pytest.fixture
def client(db: None) -> APIClient:
    return make_client("admin")


def make_client(scope: str) -> APIClient:
    client = APIClient(raise_request_exception=True)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_api_key(scope)}")
    return client


def make_segment(rule: Any = PRO, name: str = "Pro") -> Segment:
    segment = save_segment(name=name, rule=rule, actor="x")
    membership.refresh_segment(segment, at=AT)
    segment.refresh_from_db()
    return segment


def test_a_segment_is_made_read_and_changed(client: APIClient) -> None:
    made = client.post(
        "/api/segments/", {"name": "Pro people", "rule": PRO}, format="json"
    )
    assert made.status_code == 201
    body = made.json()
    assert (body["slug"], body["state"], body["version"]) == (
        "pro-people",
        "building",
        1,
    )
    assert body["summary"] == "People who have plan that is “pro”."
    url = f"/api/segments/{body['id']}/"
    changed = client.patch(
        url, {"rule": {"version": 1, "root": {"type": "everyone"}}}, format="json"
    )
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert client.get(url).json()["name"] == "Pro people"
    listed = client.get("/api/segments/").json()
    assert [one["slug"] for one in listed["results"]] == ["pro-people"]


@pytest.mark.parametrize(
    ("_case", "data", "path", "code"),
    [
        ("no rule", {"name": "A"}, "rule", "required"),
        ("no name", {"rule": PRO}, "name", "required"),
        ("rule text", {"name": "A", "rule": "x"}, "rule", "type"),
        ("node", {"name": "A", "rule": WRONG}, "root.all[1].within.unit", "required"),
        ("name taken", {"name": "Pro", "rule": PRO}, "name", "unique"),
    ],
)
def test_a_wrong_segment_is_a_400_with_its_node(
    client: APIClient, _case: str, data: Any, path: str, code: str
) -> None:
    make_segment()
    answer = client.post("/api/segments/", data, format="json")
    assert answer.status_code == 400
    assert (answer.json()["path"], answer.json()["code"]) == (path, code)
    assert Segment.objects.count() == 1


def test_a_preview_names_the_wrong_node(client: APIClient) -> None:
    answer = client.post("/api/segments/preview/", {"rule": WRONG}, format="json")
    assert answer.status_code == 400
    assert answer.json()["path"] == "root.all[1].within.unit"


@pytest.mark.parametrize("right", ["view", "change", "add", "delete"])
def test_staff_may_do_by_a_session_what_they_may_in_the_admin(
    db: None, right: str
) -> None:
    user = User.objects.create_user("eve", is_staff=True)
    codename = f"{right}_segment"
    user.user_permissions.add(Permission.objects.get(codename=codename))
    client = APIClient()
    client.force_login(user)
    data = {"name": "A", "rule": PRO}
    url = f"/api/segments/{make_segment(name='Mine').pk}/"
    calls = {
        "view": [client.get(url)],
        "change": [
            client.patch(url, {"name": "B"}, format="json"),
            client.post(f"{url}restore/", {"version": 1}, format="json"),
        ],
        "add": [
            client.post("/api/segments/", data, format="json"),
            client.post(f"{url}copy/"),
        ],
        "delete": [client.delete(url)],
    }
    for needed, answers in calls.items():
        refused = {answer.status_code == 403 for answer in answers}
        assert refused == {needed != right}, needed


def test_a_preview_needs_only_the_read_scope(db: None) -> None:
    contact = make_contact(traits={"plan": "pro", "name": "Ada"})
    client = make_client("read")
    answer = client.post("/api/segments/preview/", {"rule": PRO}, format="json")
    assert answer.json() == {
        "size": 1,
        "timed_out": False,
        "estimate": None,
        "summary": "People who have plan that is “pro”.",
        "sample": [
            {
                "uuid": str(contact.uuid),
                "external_id": contact.external_id,
                "name": "Ada",
            }
        ],
    }
    refused = client.post("/api/segments/", {"name": "A", "rule": PRO}, format="json")
    assert refused.status_code == 403
    assert not Segment.objects.exists()


def test_members_come_in_pages(client: APIClient) -> None:
    people = [make_contact(traits={"plan": "pro"}) for _ in range(3)]
    segment = make_segment()
    url = f"/api/segments/{segment.pk}/members/?page_size=2"
    first = client.get(url).json()
    second = client.get(first["next"]).json()
    ids = [one["uuid"] for one in first["results"] + second["results"]]
    assert ids == [str(one.uuid) for one in reversed(people)]
    assert second["next"] is None


def test_a_contact_knows_its_segments_and_why(client: APIClient) -> None:
    contact = make_contact(traits={"plan": "pro"})
    segment = make_segment()
    answer = client.get(f"/api/contacts/{contact.uuid}/segments/").json()
    assert answer == [
        {
            "id": segment.pk,
            "name": "Pro",
            "slug": "pro",
            "is_member": True,
            "entered_at": "2026-03-04T12:00:00Z",
            "reason": "the segment was built",
            "explanation": None,
        }
    ]
    url = f"/api/segments/{segment.pk}/explain/?contact={contact.uuid}"
    assert client.get(url).json() == {
        "path": "root",
        "mode": "",
        "text": "have plan that is “pro”",
        "matches": True,
        "facts": 'plan is "pro"',
        "children": [],
    }


@pytest.mark.parametrize(
    "url",
    [
        "/api/segments/999999999999999999/",
        "/api/segments/99999999999999999999999/",
        "/api/segments/x/",
        "/api/contacts/nobody/segments/",
        "/api/contacts/01a20466-f64c-7e93-8465-b48a85e041ca/segments/",
    ],
)
def test_what_is_not_there_is_a_404(client: APIClient, url: str) -> None:
    assert client.get(url).status_code == 404


def test_a_segment_in_use_answers_409(client: APIClient) -> None:
    segment = make_segment()
    make_segment(
        {"version": 1, "root": {"type": "segment", "segment": "pro"}}, "Second"
    )
    answer = client.delete(f"/api/segments/{segment.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    second = Segment.objects.get(slug="second")
    assert client.delete(f"/api/segments/{second.pk}/").status_code == 204
    assert client.delete(f"/api/segments/{segment.pk}/").status_code == 204


def test_nobody_reads_without_a_key(db: None) -> None:
    assert APIClient().get("/api/segments/").status_code == 401
