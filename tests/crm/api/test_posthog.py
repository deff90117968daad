"""PostHog's wire over HTTP: its addresses, the key in the body, and bad bodies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crm import bell
from crm.api import auth
from crm.events.vocabulary import forget_written
from crm.models import Contact, Event
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
PATHS = [
    f"/{name}{end}" for name in ("batch", "capture", "i/v0/e") for end in ("/", "")
]
SEEN = {"event": "Seen", "distinct_id": "ada", "uuid": "u-1"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No broker, and no memory of earlier keys and names."""
    monkeypatch.setattr(bell.app, "send_task", lambda name, **options: None)
    auth.forget_keys()
    forget_written()
    yield
    auth.forget_keys()
    forget_written()


@pytest.fixture
def key() -> str:
    return make_api_key("track")


def post(path: str, body: Any, **extra: Any) -> Any:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Client().generic("POST", path, body, "application/json", **extra)


@pytest.mark.parametrize("path", PATHS)
def test_each_address_takes_one_event_or_many(path: str, key: str) -> None:
    single = post(path, {**SEEN, "api_key": key})
    assert (single.status_code, single.json()["accepted"]) == (200, 1)
    batch = [SEEN, {"event": "Seen"}, {**SEEN, "uuid": "u-2"}]
    many = post(
        path, gzip.compress(json.dumps({"api_key": key, "batch": batch}).encode())
    )
    assert many.status_code == 200
    assert many.json() == {
        "success": True,
        "accepted": 1,
        "duplicates": 1,
        "suppressed": 0,
        "rejected": [
            {
                "index": 1,
                "path": "distinct_id",
                "code": "required",
                "message": "Needs distinct_id.",
            }
        ],
    }
    ids = Event.objects.values_list("message_id", "source")
    assert sorted(ids) == [("u-1", "posthog"), ("u-2", "posthog")]


def test_what_is_said_once_yields_to_any_other_word(key: str) -> None:
    def say(word: str, traits: dict[str, Any], minute: int) -> None:
        at = f"2026-03-04T11:{minute:02}:00Z"
        call = {"event": word, "distinct_id": "ada", word: traits, "timestamp": at}
        assert post("/capture/", {**call, "api_key": key}).status_code == 200

    say("$set_once", {"first": "a", "plan": "free"}, 1)
    say("$set_once", {"first": "b"}, 2)
    say("$set", {"plan": "pro"}, 3)
    say("$set_once", {"plan": "max"}, 4)
    assert Contact.objects.get().traits == {"first": "a", "plan": "pro"}


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_key_is_401_and_keeps_nothing(path: str) -> None:
    for body in ({**SEEN, "api_key": "no"}, {"batch": [SEEN]}, SEEN):
        response = post(path, body)
        assert response.status_code == 401
        assert response.json()["code"] == "authentication_failed"
    read = post(path, {**SEEN, "api_key": make_api_key("read")})
    assert (read.status_code, read.json()["code"]) == (403, "permission_denied")
    assert not Contact.objects.exists()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("_case", "body", "status", "code", "where"),
    [
        ("no JSON", b"{", 400, "invalid_json", ""),
        ("empty", b"", 400, "invalid_json", ""),
        ("a list", b"[]", 400, "invalid_type", ""),
        ("NaN", b'{"batch":[NaN]}', 400, "not_a_number", "batch[0]"),
        ("batch no list", b'{"batch":5}', 400, "invalid_type", "batch"),
        ("UTF-16", "{}".encode("utf-16"), 400, "invalid_utf8", ""),
        ("10 MB", b" " * 10_000_000, 413, "body_too_large", ""),
        ("bomb", gzip.compress(b" " * 10_000_000, mtime=0), 413, "body_too_large", ""),
        ("deep", b'{"batch":' + b"[" * 100_000, 400, "too_deep", ""),
        (
            "2,501",
            b'{"batch":[' + b"1," * 2_500 + b"1]}",
            413,
            "too_many_events",
            "batch",
        ),
    ],
)
def test_a_bad_body_is_refused_whole(
    path: str, _case: str, body: bytes, status: int, code: str, where: str
) -> None:
    answer = post(path, body)
    said = answer.json()
    assert (answer.status_code, said["code"], said["path"]) == (status, code, where)
    assert set(said) == {"code", "path", "message", "detail"}
    assert not Contact.objects.exists()


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_405_in_json(path: str) -> None:
    response = Client().get(path)
    assert (response.status_code, response["Allow"]) == (405, "POST")
