"""`/api/events/`: narrowed, paged by the own key of the table, at a fixed cost."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from crm.api import auth
from crm.api.pagination import write_cursor
from crm.models import Event
from tests.factories import make_api_key, make_contact, make_event

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(microsecond=123_000)


@pytest.fixture
def client() -> Client:
    auth.forget_keys()
    return Client(HTTP_AUTHORIZATION=f"Bearer {make_api_key('read')}")


def ask(client: Client, **query: Any) -> Any:
    answer = client.get("/api/events/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def list_names(client: Client, **query: Any) -> list[str]:
    return [row["name"] for row in ask(client, **query)["results"]]


def test_events_are_narrowed_by_person_name_and_time(client: Client) -> None:
    ada, bob = make_contact("ada"), make_contact("bob")
    make_event(ada, "Seen", occurred_at=NOW - timedelta(hours=1))
    make_event(ada, "Bought", occurred_at=NOW - timedelta(hours=2))
    make_event(bob, "Seen", occurred_at=NOW - timedelta(days=3))

    assert list_names(client) == ["Seen", "Bought", "Seen"]
    assert list_names(client, contact="ada") == ["Seen", "Bought"]
    assert list_names(client, contact=str(bob.uuid)) == ["Seen"]
    assert list_names(client, contact="nobody") == []
    assert list_names(client, name="Bought") == ["Bought"]
    yesterday = (NOW - timedelta(days=1)).isoformat()
    assert list_names(client, since=yesterday) == ["Seen", "Bought"]
    assert list_names(client, until=yesterday) == ["Seen"]


def test_a_list_without_a_start_reaches_back_thirty_days(client: Client) -> None:
    make_event(make_contact(), "Old", occurred_at=NOW - timedelta(days=31))

    assert list_names(client) == []
    long_ago = (NOW - timedelta(days=40)).isoformat()
    assert list_names(client, since=long_ago) == ["Old"]
    week_ago = (NOW - timedelta(days=7)).isoformat()
    assert list_names(client, until=week_ago) == ["Old"]


def test_a_row_says_whose_it_is_and_shows_itself_alone(client: Client) -> None:
    ada = make_contact("ada")
    event = make_event(ada, "Seen", occurred_at=NOW, properties={"a": 1})
    [row] = ask(client)["results"]
    assert (row["contact"], row["external_id"]) == (str(ada.uuid), "ada")

    at = quote(row["occurred_at"])
    alone = client.get(f"/api/events/{event.pk}/?occurred_at={at}")
    assert alone.json() == row
    other = client.get(f"/api/events/{uuid.uuid4()}/?occurred_at={at}")
    assert other.status_code == 404
    assert client.get(f"/api/events/{event.pk}/").json()["path"] == "occurred_at"
    assert client.get(f"/api/events/1/?occurred_at={at}").status_code == 404


def test_pages_lose_and_repeat_nothing_though_times_are_equal(client: Client) -> None:
    ada = make_contact("ada")
    wanted = [
        make_event(ada, f"n{n}", occurred_at=NOW - timedelta(seconds=n // 7))
        for n in range(30)
    ]
    seen: list[str] = []
    page = ask(client, page_size=4)
    while True:
        seen += [row["id"] for row in page["results"]]
        # What comes in meanwhile is newer, and moves nothing.
        make_event(ada, "later", occurred_at=NOW + timedelta(seconds=len(seen)))
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()

    assert len(seen) == len(set(seen)) == 30
    ordered = sorted(wanted, key=lambda e: (e.occurred_at, e.pk), reverse=True)
    assert seen == [str(event.pk) for event in ordered]


@pytest.mark.parametrize("rows", [1, 40])
def test_a_page_costs_the_same_queries_whatever_it_holds(
    client: Client, rows: int, django_assert_num_queries: Any
) -> None:
    for _ in range(rows):
        make_event(make_contact("ada" if rows == 1 else ""), occurred_at=NOW)
    ask(client)
    with django_assert_num_queries(1):
        ask(client)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "since"),
        ({"cursor": "abc"}, "cursor"),
        ({"cursor": write_cursor(datetime(2026, 1, 1), uuid.uuid4())}, "cursor"),  # noqa: DTZ001
        ({"name": "x" * 201}, "name"),
    ],
)
def test_a_wrong_question_is_told_where_it_is_wrong(
    client: Client, query: dict[str, str], path: str
) -> None:
    answer = client.get("/api/events/", query)

    assert (answer.status_code, answer.json()["path"]) == (400, path)


def test_events_are_for_those_who_may_read(client: Client) -> None:
    for header, status in (("", 401), (f"Bearer {make_api_key('track')}", 403)):
        extra = {"HTTP_AUTHORIZATION": header} if header else {}
        assert Client().get("/api/events/", **extra).status_code == status
    assert client.post("/api/events/", {}).status_code in (403, 405)
    assert Event.objects.count() == 0
