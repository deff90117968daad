"""What is refused is kept by reason, and never in anybody's way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from crm.api import auth
from crm.events.envelope import Rejection
from crm.models import Event, RejectedItem
from crm.quality import rejections
from crm.quality.rejections import forget_noted, note_rejections, write_noted
from tests.factories import NOON, make_api_key

pytestmark = pytest.mark.django_db
GOOD = {"type": "track", "userId": "ada", "event": "Viewed"}
BAD = {"type": "track", "userId": "ada@example.com", "event": ""}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    auth.forget_keys()
    forget_noted()
    yield
    forget_noted()
    auth.forget_keys()


@pytest.fixture
def client() -> Client:
    return Client(HTTP_AUTHORIZATION=f"Bearer {make_api_key('track')}")


def post(client: Client, path: str, body: Any) -> Any:
    return client.post(path, body, content_type="application/json")


def refuse(path: str = "event", code: str = "required", index: int = 0) -> Rejection:
    return Rejection(index, path, code, "This field is required.")


def read_counts() -> list[tuple[str, str, str, int]]:
    rows = RejectedItem.objects.order_by("source", "code", "path")
    return list(rows.values_list("source", "code", "path", "count"))


def test_a_rejected_item_is_kept_with_its_reason_and_a_masked_sample(
    client: Client,
) -> None:
    answer = post(client, "/v1/batch", {"batch": [GOOD, BAD]})

    assert answer.json()["accepted"] == 1
    assert len(answer.json()["rejected"]) == 1
    assert read_counts() == [("segment", "required", "event", 1)]
    row = RejectedItem.objects.get()
    assert "event's name" in row.message
    assert json.loads(row.sample)["userId"] == "xxx@xxxxxxx.xxx"


def test_a_whole_body_refused_is_kept_too(client: Client) -> None:
    assert post(client, "/v1/track", BAD).status_code == 400
    assert read_counts() == [("segment", "required", "event", 1)]


def test_customer_io_calls_are_kept_but_for_unknown_people(client: Client) -> None:
    assert post(client, "/api/v1/customers/ada/events", {}).status_code == 400
    forget_noted()
    assert client.delete("/api/v1/customers/cio_00").status_code in (200, 404)
    forget_noted()
    post(client, "/api/v2/batch", {"batch": [{"type": "nothing"}]})

    assert {(source, count) for source, _, _, count in read_counts()} == {
        ("customerio", 1)
    }
    assert len(read_counts()) == 2


def test_nobody_without_a_key_fills_our_tables() -> None:
    for headers in ({}, {"HTTP_AUTHORIZATION": "Bearer apr_wrong"}):
        body = {"batch": [BAD]}
        assert post(Client(**headers), "/v1/batch", body).status_code == 401
    assert post(Client(), "/v1/track", BAD).status_code == 400
    write_noted(NOON)

    assert read_counts() == []


def test_a_flood_writes_once_a_second_and_loses_no_count(
    django_assert_num_queries: Any,
) -> None:
    note_rejections([refuse()], source="segment", at=NOON)
    with django_assert_num_queries(0):
        for _ in range(50):
            note_rejections([refuse()] * 10, source="segment", at=NOON)
    rejections._written_at = float("-inf")
    # The next call of the process brings it down, though it has none itself.
    note_rejections([], source="segment", at=NOON)

    assert read_counts() == [("segment", "required", "event", 501)]


def test_made_up_paths_share_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejections, "MAX_NOTED", 3)
    monkeypatch.setattr(rejections, "MAX_ROWS", 5)
    for turn in range(4):
        paths = [f"properties.{turn}-{n}" for n in "abcdefgh"]
        rejections._written_at = float("-inf")
        note_rejections([refuse(path) for path in paths], source="s", at=NOON)

    counts = read_counts()
    assert sum(count for *_, count in counts) == 32
    assert len(counts) <= 6
    assert ("s", "required", "…") in {row[:3] for row in counts}


def test_a_fault_of_the_database_never_reaches_the_caller(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("lock timeout")

    monkeypatch.setattr(rejections, "_write", fail)
    answer = post(client, "/v1/batch", {"batch": [GOOD, BAD]})

    assert answer.status_code == 200
    assert Event.objects.count() == 1
    assert "were not kept: lock timeout" in caplog.text


def test_days_are_apart_and_the_first_sample_stays() -> None:
    for days, body in ((0, b'{"event": "A"}'), (0, b'{"event": "B"}'), (1, b"{}")):
        at = NOON + timedelta(days=days)
        rejections._written_at = float("-inf")
        note_rejections([refuse()], source="s", body=body, at=at)

    rows = RejectedItem.objects.order_by("seen_on")
    assert [(row.count, row.sample) for row in rows] == [
        (2, '{"event": "A"}'),
        (1, "{}"),
    ]
