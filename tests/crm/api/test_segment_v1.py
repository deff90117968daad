"""Segment's wire over HTTP: keys, limits, and one answer for each fault."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from kombu.exceptions import OperationalError

from crm import bell
from crm.api import auth
from crm.events.schema import KINDS
from crm.events.vocabulary import forget_written
from crm.keys import revoke_api_key
from crm.models import ApiKey, Contact, Event, RejectedItem
from crm.privacy import erase_contact
from tests.factories import make_api_key, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Rings of the bell; the broker is the outermost edge."""
    heard: list[str] = []
    monkeypatch.setattr(
        bell.app, "send_task", lambda name, **options: heard.append(name)
    )
    auth.forget_keys()
    forget_written()
    yield heard
    auth.forget_keys()
    forget_written()


@pytest.fixture
def key() -> str:
    return make_api_key("track")


def post(path: str, body: Any, header: str = "", **extra: Any) -> Any:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if header:
        extra["HTTP_AUTHORIZATION"] = header
    extra.setdefault("content_type", "application/json")
    return Client().generic("POST", path, body, **extra)


def basic(user: str, password: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


BATCH_PATHS = ["/v1/batch", "/v1/import", "/api/public/apps/batch"]
SINGLE_PATHS = [f"/v1/{kind}" for kind in sorted(KINDS)]
TRACK = {"type": "track", "event": "Viewed", "userId": "u1", "messageId": "m1"}


def test_a_batch_is_taken_in_and_each_rejection_is_listed(key: str) -> None:
    batch = [TRACK, {"type": "track", "userId": "u1"}, TRACK]
    response = post("/v1/batch", {"batch": batch}, basic(key))
    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "accepted": 1,
        "duplicates": 1,
        "suppressed": 0,
        "rejected": [
            {
                "index": 1,
                "path": "event",
                "code": "required",
                "message": "A track call needs the event's name.",
            }
        ],
    }
    assert Event.objects.get().contact.external_id == "u1"


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("/v1/track", {"userId": "u1", "event": "Viewed"}, ["Viewed"]),
        ("/v1/page", {"userId": "u1", "name": "Home"}, ["Page Viewed"]),
        ("/v1/screen", {"anonymousId": "a1"}, ["Screen Viewed"]),
        ("/v1/group", {"userId": "u1", "groupId": "g"}, ["$group"]),
        ("/v1/identify", {"userId": "u1", "traits": {"a": 1}}, []),
        ("/v1/alias", {"userId": "u1", "previousId": "a1"}, []),
        ("/v1/import", {"batch": [TRACK]}, ["Viewed"]),
        ("/api/public/apps/batch", {"batch": [TRACK]}, ["Viewed"]),
    ],
)
def test_each_call_has_its_address(
    path: str, body: dict[str, Any], names: list[str], key: str
) -> None:
    response = post(path, body, basic(key))
    assert (response.status_code, response.json()["accepted"]) == (200, 1)
    assert list(Event.objects.values_list("name", flat=True)) == names


def test_the_key_may_be_user_password_bearer_or_in_the_body(key: str) -> None:
    single = {"userId": "u1", "event": "Viewed"}
    answers = [
        post("/v1/track", single, basic(key)),
        post("/v1/track", single, basic("any site id", key)),
        post("/v1/track", single, f"Bearer {key}"),
        post("/v1/track", {**single, "writeKey": key}),
        post("/v1/batch", {"batch": [TRACK], "writeKey": key}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5


@pytest.mark.parametrize(
    "header", ["", "Basic !!!", "Basic /w==", "Bearer nope", "Bearer \xff", "Digest x"]
)
def test_a_wrong_key_is_401_and_keeps_nothing(header: str) -> None:
    response = post("/v1/batch", {"batch": [TRACK]}, header)
    assert response.status_code == 401
    assert response.json()["code"] == "authentication_failed"
    assert not Contact.objects.exists()


def test_a_key_without_the_scope_is_403() -> None:
    response = post("/v1/batch", {"batch": [TRACK]}, basic(make_api_key("read")))
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert not Event.objects.exists()


def test_a_revoked_key_ends_when_the_cache_does(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    monkeypatch.setattr(auth.time, "monotonic", lambda: moment[0])
    assert post("/v1/batch", {"batch": []}, basic(key)).status_code == 200
    assert revoke_api_key(ApiKey.objects.get(), actor="test")
    moment[0] += auth.KEY_CACHE_S + 0.1
    assert post("/v1/batch", {"batch": []}, basic(key)).status_code == 401


def test_other_methods_are_405_in_json() -> None:
    for path in (*BATCH_PATHS, *SINGLE_PATHS):
        response = Client().get(path)
        assert (response.status_code, response["Allow"]) == (405, "POST")
        assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("_case", "body", "status", "code", "path"),
    [
        ("no JSON", b"{", 400, "invalid_json", ""),
        ("NaN", b'{"batch":[NaN]}', 400, "not_a_number", "batch[0]"),
        ("UTF-16", "{}".encode("utf-16"), 400, "invalid_utf8", ""),
        ("10 MB", b" " * 10_000_000, 413, "body_too_large", ""),
        ("bomb", gzip.compress(b" " * 10_000_000, mtime=0), 413, "body_too_large", ""),
        ("deep", b'{"batch":' + b"[" * 100_000, 400, "too_deep", ""),
        ("300,000 keys", b"{" + b'"a":1,' * 70_000, 400, "invalid_json", ""),
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
    _case: str, body: bytes, status: int, code: str, path: str, key: str
) -> None:
    for address in BATCH_PATHS:
        response = post(address, body, basic(key))
        answer = response.json()
        assert response.status_code == status
        assert (answer["code"], answer["path"]) == (code, path)
        assert set(answer) == {"code", "path", "message", "detail"}
    assert not Contact.objects.exists()


@pytest.mark.parametrize("address", SINGLE_PATHS)
@pytest.mark.parametrize(
    ("_case", "said", "status", "code", "path"),
    [
        ("no JSON", b"{", 400, "invalid_json", ""),
        ("a list", b"[]", 400, "invalid_type", ""),
        ("NaN", b'{"userId":NaN}', 400, "not_a_number", "userId"),
        ("a float as id", b'{"userId":1.5}', 400, "invalid_type", "userId"),
        ("no object", b'{"userId":"u","context":5}', 400, "invalid_type", "context"),
        (
            "a null character",
            rb'{"userId":"u","context":{"a":["\u0000"]}}',
            400,
            "null_character",
            "context.a[0]",
        ),
        (
            "half a pair",
            rb'{"userId":"u","context":{"a":"\ud800"}}',
            400,
            "lone_surrogate",
            "context.a",
        ),
        (
            "no time",
            b'{"userId":"u","originalTimestamp":"soon"}',
            400,
            "invalid_timestamp",
            "originalTimestamp",
        ),
        ("deep", b'{"a":' + b"[" * 20_000, 400, "too_deep", ""),
        ("33 kB", b'"' + b"x" * 33_000 + b'"', 413, "event_too_large", ""),
    ],
)
def test_a_bad_call_is_refused_at_each_address(
    address: str, _case: str, said: bytes, status: int, code: str, path: str, key: str
) -> None:
    response = post(address, said, basic(key))
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code)
    assert answer["path"] == path
    assert not Contact.objects.exists()


def test_a_bad_single_call_is_400_with_its_path(key: str) -> None:
    body = b'{"userId":"u","event":"e","properties":{"k":"\\u0000"}}'
    response = post("/v1/track", body, basic(key))
    assert response.status_code == 400
    assert response.json()["path"] == "properties.k"


@pytest.mark.parametrize(
    "label", ["application/json; charset=bogus", "text/plain; charset=utf-7", "x", ""]
)
def test_the_label_of_the_body_is_ignored(label: str, key: str) -> None:
    body = gzip.compress(json.dumps({"batch": [TRACK]}).encode())
    response = post("/v1/batch", body, basic(key), content_type=label)
    assert (response.status_code, response.json()["accepted"]) == (200, 1)


def test_a_body_in_chunks_is_asked_for_its_length(key: str) -> None:
    header = {"HTTP_TRANSFER_ENCODING": "chunked"}
    response = post("/v1/batch", {"batch": [TRACK]}, basic(key), **header)
    assert (response.status_code, response.json()["code"]) == (411, "length_required")


def test_odd_texts_are_stored_as_they_are(key: str) -> None:
    odd = {
        "zwj": "👩‍👩‍👧",
        "rtl": "\u202eabc",
        "marks": "e" + "\u0301" * 1_000,
        "sql": "'; DROP TABLE crm_contact; --",
        "liquid": "{{ secrets }}",
        "html": "<script>alert(1)</script>",
        "crlf": "a\r\nb",
        "formula": '=HYPERLINK("x")',
    }
    body = {"userId": "u1", "event": "Odd", "properties": odd}
    assert post("/v1/track", body, basic(key)).status_code == 200
    assert Event.objects.get().properties == odd


def test_unknown_addresses_answer_json() -> None:
    for path in ("/v1/nothing", "/api/nothing", "/api/nothing/"):
        response = Client().get(path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_an_accepted_batch_rings_the_bell_and_a_repeat_does_not(
    key: str, rings: list[str]
) -> None:
    post("/v1/batch", {"batch": [TRACK]}, basic(key))
    count_rings(rings)
    assert set(rings) == {"notifications.tasks.process_events"}
    before = count_rings(rings)
    post("/v1/batch", {"batch": [TRACK]}, basic(key))
    assert count_rings(rings) == before


def test_many_commits_make_few_rings(rings: list[str]) -> None:
    for _ in range(1_000):
        bell.ring_bell()
    assert 1 <= count_rings(rings) <= 5


@pytest.mark.parametrize("error", [OperationalError("down"), OSError("down")])
def test_a_broker_that_is_down_costs_no_event(
    error: Exception, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, **options: Any) -> None:
        raise error

    monkeypatch.setattr(bell.app, "send_task", fail)
    bell.ring_quietly("any")
    assert post("/v1/batch", {"batch": [TRACK]}, basic(key)).status_code == 200


def count_rings(rings: list[str]) -> int:
    """How often it rang, once the ringer has come to rest."""
    time.sleep(3 * bell.MIN_GAP_S)
    return len(rings)


def test_a_call_of_an_erased_person_is_answered_and_counted_without_a_sample(
    key: str,
) -> None:
    erase_contact(make_contact("ada"), actor="test")
    header = f"Bearer {key}"
    answer = post("/v1/track", {"userId": "ada", "event": "Viewed"}, header)
    assert answer.status_code == 200
    said = {"accepted": 0, "duplicates": 0, "suppressed": 1, "rejected": []}
    assert answer.json() == {"success": True, **said}
    row = RejectedItem.objects.get()
    assert (row.code, row.count, row.sample) == ("suppressed", 1, "")
