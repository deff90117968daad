"""What each wire answers while more comes in than can be worked on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from psycopg import errors

from crm import bell
from crm.api import auth, intake, wire
from crm.events.pressure import Overload
from crm.models import Contact, Event
from preferences.models import Suppression
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
BUSY = Overload("over_capacity", "Too much waits.", 15)
SEEN = {"type": "track", "userId": "a", "event": "Seen", "messageId": "m1"}
BOUGHT = {
    "type": "track",
    "userId": "a",
    "event": "Order Completed",
    "messageId": "m2",
    "properties": {"revenue": 12},
}


@pytest.fixture(autouse=True)
def _busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell.app, "send_task", lambda *_, **__: None)
    monkeypatch.setattr(wire, "read_pressure", lambda: BUSY)
    auth.forget_keys()


def send(path: str, body: Any, method: str = "POST") -> Any:
    header = f"Bearer {make_api_key('track')}"
    return Client().generic(
        method, path, json.dumps(body), "application/json", HTTP_AUTHORIZATION=header
    )


def list_names() -> list[str]:
    return sorted(Event.objects.values_list("name", flat=True))


def test_an_ordinary_event_is_told_when_to_come_again() -> None:
    answer = send("/v1/track", SEEN)

    assert answer.status_code == 429
    assert answer["Retry-After"] == "15"
    said = answer.json()
    assert (said["code"], said["message"]) == ("over_capacity", "Too much waits.")
    assert (said["success"], said["accepted"]) == (False, 0)
    assert list_names() == []


def test_a_batch_keeps_its_purchase_and_names_what_is_to_come_again() -> None:
    first = send("/v1/batch", {"batch": [SEEN, BOUGHT, {"type": "track"}]})

    assert first.status_code == 429
    assert first.json()["accepted"] == 1
    assert sorted((r["index"], r["code"]) for r in first.json()["rejected"]) == [
        (0, "over_capacity"),
        (2, "required"),
    ]
    assert list_names() == ["Order Completed"]


def test_the_whole_batch_again_counts_the_purchase_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    send("/v1/batch", {"batch": [SEEN, BOUGHT]})
    monkeypatch.setattr(wire, "read_pressure", lambda: None)
    again = send("/v1/batch", {"batch": [SEEN, BOUGHT]})

    assert again.status_code == 200
    assert (again.json()["accepted"], again.json()["duplicates"]) == (1, 1)
    assert list_names() == ["Order Completed", "Seen"]


def test_a_purchase_or_an_opt_out_alone_sees_no_difference() -> None:
    assert send("/v1/track", BOUGHT).status_code == 200
    said = {"userId": "a", "traits": {"unsubscribed": True}}
    assert send("/v1/identify", said).status_code == 200


def test_customerio_stops_people_and_takes_purchases_and_holds_the_rest() -> None:
    person = "/api/v1/customers/a"
    assert send(f"{person}/events", {"name": "Order Completed"}).status_code == 200
    held = send(f"{person}/events", {"name": "Seen"})
    assert (held.status_code, held["Retry-After"]) == (429, "15")
    assert held.json()["meta"]["error"] == "Too much waits."
    assert send(f"{person}/suppress", {}).status_code == 200
    assert Suppression.objects.filter(contact__external_id="a").exists()
    assert send(person, {"first_name": "Ada"}, "PUT").status_code == 429
    assert list_names() == ["Order Completed", "User Suppressed"]
    assert send(person, {}, "DELETE").status_code == 200
    assert list_names() == []


def test_a_batch_of_customerio_keeps_what_may_come_twice() -> None:
    def make_entity(name: str, **fields: Any) -> dict[str, Any]:
        return {
            "type": "person",
            "identifiers": {"id": "a"},
            "action": "event",
            "name": name,
            **fields,
        }

    batch = [
        make_entity("Seen"),
        make_entity("Order Completed"),
        make_entity("Order Completed", id="01HB4HBDKTFWYZCK01DMRSWRFD"),
    ]
    answer = send("/api/v2/batch", {"batch": batch})

    assert answer.status_code == 429
    assert list_names() == ["Order Completed"]
    assert Contact.objects.filter(external_id="a").count() == 1


def test_a_full_disk_of_the_database_is_507_and_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fill(*_: Any, **__: Any) -> None:
        raise OperationalError("no space") from errors.DiskFull("no space")

    monkeypatch.setattr(wire, "read_pressure", lambda: None)
    monkeypatch.setattr(intake, "record_events", fill)
    answer = send("/v1/track", SEEN)

    assert answer.status_code == 507
    assert (answer["Retry-After"], answer.json()["code"]) == ("60", "disk_full")
