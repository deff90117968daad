from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from segments import explain
from segments.api import history
from segments.deadline import TooSlow
from segments.models import MembershipChange, Segment
from tests.factories import make_campaign, make_contact
from tests.segments.test_api import AT, PRO, make_client, make_segment

pytestmark = pytest.mark.django_db
EVERYONE = {"version": 1, "root": {"type": "everyone"}}


@pytest.fixture
def client() -> APIClient:
    return make_client("admin")


def patch(client: APIClient, segment: Segment, **said: Any) -> Any:
    return client.patch(f"/api/segments/{segment.pk}/", said, format="json")


def test_a_rule_in_use_changes_only_when_it_is_confirmed(client: APIClient) -> None:
    segment = make_segment()
    make_campaign("Win back", segment=segment)
    refused = patch(client, segment, rule=EVERYONE)
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "campaign “Win back”" in refused.json()["message"]
    segment.refresh_from_db()
    assert segment.versions.count() == 1
    taken = patch(client, segment, rule=EVERYONE, confirm=True)
    assert (taken.status_code, taken.json()["version"]) == (200, 2)
    assert (taken.json()["state"], taken.json()["built_version"]) == ("building", 1)


def test_versions_are_listed_and_one_is_restored(client: APIClient) -> None:
    segment = make_segment()
    patch(client, segment, rule=EVERYONE)
    url = f"/api/segments/{segment.pk}/"
    first = client.get(f"{url}versions/?page_size=1").json()
    second = client.get(first["next"]).json()
    rows = first["results"] + second["results"]
    assert [(row["number"], row["rule"]) for row in rows] == [(2, EVERYONE), (1, PRO)]
    answer = client.post(f"{url}restore/", {"version": 1}, format="json")
    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    assert answer.json()["rule"] == PRO


@pytest.mark.parametrize(
    ("said", "status"), [(9, 404), (0, 400), ("x", 400), (10**12, 400)]
)
def test_a_version_that_is_not_there_is_not_restored(
    client: APIClient, said: Any, status: int
) -> None:
    segment = make_segment()
    url = f"/api/segments/{segment.pk}/restore/"
    assert client.post(url, {"version": said}, format="json").status_code == status
    assert segment.versions.count() == 1


def test_a_restore_in_use_is_confirmed_too(client: APIClient) -> None:
    segment = make_segment()
    patch(client, segment, rule=EVERYONE)
    make_campaign(segment=segment)
    url = f"/api/segments/{segment.pk}/restore/"
    refused = client.post(url, {"version": 1}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    taken = client.post(url, {"version": 1, "confirm": True}, format="json")
    assert taken.status_code == 200


def test_a_segment_is_copied(client: APIClient) -> None:
    segment = make_segment()
    made = client.post(f"/api/segments/{segment.pk}/copy/")
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["rule"]) == ("Copy of Pro", PRO)


def test_changes_come_in_pages_that_neither_skip_nor_repeat(client: APIClient) -> None:
    people = [make_contact(traits={"plan": "pro"}) for _ in range(5)]
    segment = make_segment()
    # All at one moment, as a build writes them.
    assert set(MembershipChange.objects.values_list("at", flat=True)) == {AT}
    url = f"/api/segments/{segment.pk}/changes/?page_size=2"
    seen = []
    while url:
        page = client.get(url).json()
        seen += page["results"]
        url = page["next"]
    assert sorted(row["uuid"] for row in seen) == sorted(str(p.uuid) for p in people)
    assert [row["id"] for row in seen] == sorted(
        (row["id"] for row in seen), reverse=True
    )
    assert {(row["action"], row["reason"], row["version"]) for row in seen} == {
        ("entered", "the segment was built", 1)
    }


@pytest.mark.parametrize("cursor", ["x", "!!", "MjAyNi0wMy0wNFQxMjowMCA1", "w7w="])
def test_a_foreign_cursor_is_a_400(client: APIClient, cursor: str) -> None:
    segment = make_segment()
    url = f"/api/segments/{segment.pk}/changes/?cursor={cursor}"
    answer = client.get(url)
    assert (answer.status_code, answer.json()["path"]) == (400, "cursor")


def test_who_uses_it_is_told(client: APIClient) -> None:
    segment = make_segment()
    make_campaign("Win back", segment=segment)
    assert client.get(f"/api/segments/{segment.pk}/uses/").json() == [
        {"kind": "campaign", "name": "Win back", "state": "Running", "is_live": True}
    ]


def test_an_overlap_is_counted_or_stopped(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_contact(traits={"plan": "pro"})
    make_contact()
    segment = make_segment()
    make_segment(EVERYONE, "All")
    url = f"/api/segments/{segment.pk}/overlap/"
    told = client.get(f"{url}?with=all").json()
    assert told == {"both": 1, "only_first": 0, "only_second": 1}
    for said in ("", "nobody"):
        answer = client.get(f"{url}?with={said}")
        assert (answer.status_code, answer.json()["path"]) == (400, "with")

    def stop(*_: Any) -> None:
        raise TooSlow

    monkeypatch.setattr(history, "measure_overlap", stop)
    stopped = client.get(f"{url}?with=all")
    assert (stopped.status_code, stopped.json()["code"]) == (503, "too_slow")


def test_a_contact_is_explained_in_its_segments(client: APIClient) -> None:
    contact = make_contact(traits={"plan": "pro"})
    make_segment()
    url = f"/api/contacts/{contact.uuid}/segments/?explain=1"
    (entry,) = client.get(url).json()
    assert entry["explanation"]["facts"] == 'plan is "pro"'
    assert entry["explanation"]["matches"] is True


def test_why_a_contact_is_not_in_one_segment(client: APIClient) -> None:
    contact = make_contact(traits={"plan": "free"})
    segment = make_segment()
    url = f"/api/contacts/{contact.uuid}/segments/?segment="
    (entry,) = client.get(f"{url}{segment.pk}").json()
    assert (entry["is_member"], entry["entered_at"], entry["reason"]) == (
        False,
        None,
        "",
    )
    assert entry["explanation"]["facts"] == 'plan is "free"'
    for said in ("", "0", "x", "9" * 30, "٣"):
        answer = client.get(f"{url}{said}")
        assert (answer.status_code, answer.json()["path"]) == (400, "segment")


def test_too_many_segments_are_not_explained_at_once(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segments.api.contacts.EXPLAINED_MAX", 0)
    contact = make_contact(traits={"plan": "pro"})
    make_segment()
    answer = client.get(f"/api/contacts/{contact.uuid}/segments/?explain=1")
    assert (answer.status_code, answer.json()["path"]) == (400, "explain")


def test_a_preview_that_is_stopped_says_what_is_expected(
    client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise TooSlow

    monkeypatch.setattr(explain, "_count_and_sample", stop)
    answer = client.post("/api/segments/preview/", {"rule": PRO}, format="json")
    told = answer.json()
    assert (answer.status_code, told["size"], told["timed_out"]) == (200, None, True)
    assert isinstance(told["estimate"], int)
