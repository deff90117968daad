"""Reading device reports: each fault is named by its path, nothing is guessed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from crm.events.limits import BodyRefused
from notifications.api.push_wire import ParsedReport, is_own_path, parse_reports

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ONE = {"event": "opened", "token": "t", "client_id": "c"}


def parse(body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_reports(raw, received_at=AT)


def refuse(body: Any) -> tuple[int, str, str]:
    with pytest.raises(BodyRefused) as caught:
        parse(body)
    return caught.value.status, caught.value.fault.code, caught.value.fault.path


def test_one_report_is_read() -> None:
    said = {**ONE, "at": "2026-03-04T13:30:00+02:00", "button": "0"}
    parsed = parse(said)

    at = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)
    assert parsed.reports == [ParsedReport("opened", "c", at, "0")]
    assert parsed.tokens == {"t"}
    assert parsed.next_path == ""


def test_several_reports_share_a_token_or_bring_their_own() -> None:
    events = [
        {"event": "delivered", "client_id": 7},
        {"event": "clicked", "client_id": "c", "token": "u", "button": 1},
    ]
    parsed = parse({"token": "t", "events": events})

    assert parsed.reports == [
        ParsedReport("delivered", "7", AT, ""),
        ParsedReport("clicked", "c", AT, "1"),
    ]
    assert parsed.tokens == {"t", "u"}


def test_form_and_gzip_are_read_whatever_the_label() -> None:
    form = b"event=opened&token=t&client_id=c&at=&button=&next=%2Fsandbox%2F%3Fa%3Db"
    parsed = parse(form)
    zipped = parse(gzip.compress(json.dumps(ONE).encode()))

    assert parsed.reports == zipped.reports == [ParsedReport("opened", "c", AT, "")]
    assert parsed.next_path == "/sandbox/?a=b"


@pytest.mark.parametrize(
    ("_case", "body", "answer"),
    [
        ("nothing", b"", (400, "invalid_json", "")),
        ("no JSON", b"{", (400, "invalid_json", "")),
        ("a list", [ONE], (400, "invalid_type", "")),
        ("a number", b"7", (400, "invalid_json", "")),
        ("not UTF-8", b'{"event": "\xff"}', (400, "invalid_utf8", "")),
        ("no event", {"client_id": "c"}, (400, "required", "event")),
        ("another event", {**ONE, "event": "x"}, (400, "invalid_type", "event")),
        ("no client id", {"event": "opened"}, (400, "required", "client_id")),
        ("empty client id", {**ONE, "client_id": " "}, (400, "required", "client_id")),
        (
            "long client id",
            {**ONE, "client_id": "x" * 101},
            (400, "too_long", "client_id"),
        ),
        ("long button", {**ONE, "button": "x" * 101}, (400, "too_long", "button")),
        ("button is a list", {**ONE, "button": []}, (400, "invalid_type", "button")),
        ("null", {**ONE, "client_id": "a\0"}, (400, "null_character", "client_id")),
        (
            "half a pair",
            b'{"event": "opened", "client_id": "\\ud800"}',
            (400, "lone_surrogate", "client_id"),
        ),
        ("deep", b'{"event": ' + b"[" * 5000, (400, "too_deep", "")),
        ("bad time", {**ONE, "at": "yesterday"}, (400, "invalid_timestamp", "at")),
        ("year 9999", {**ONE, "at": "9999-12-31"}, (400, "invalid_timestamp", "at")),
        (
            "before the calendar",
            {**ONE, "at": "0001-01-01T00:00:00+14:00"},
            (400, "invalid_timestamp", "at"),
        ),
        ("time as a number", {**ONE, "at": 5}, (400, "invalid_type", "at")),
        ("no reports", {"events": []}, (400, "invalid", "events")),
        ("too many reports", {"events": [ONE] * 101}, (400, "invalid", "events")),
        (
            "second report",
            {"events": [ONE, {**ONE, "at": ""}]},
            (400, "invalid_timestamp", "events[1].at"),
        ),
        (
            "type in the second",
            {"events": [ONE, {**ONE, "client_id": None}]},
            (400, "invalid_type", "events[1].client_id"),
        ),
        ("too large", {**ONE, "x": "y" * 33_000}, (413, "body_too_large", "")),
        (
            "form away",
            b"event=opened&client_id=c&next=//e.vil",
            (400, "invalid", "next"),
        ),
        (
            "form null",
            b"event=opened&client_id=%00",
            (400, "null_character", "client_id"),
        ),
        ("form of many", b"a=1&" * 30, (400, "too_many_fields", "")),
    ],
)
def test_fault_is_named_by_its_path(
    _case: str, body: Any, answer: tuple[int, str, str]
) -> None:
    assert refuse(body) == answer


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/sandbox/?done=opened&link=https://shop.example/", True),
        ("/", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/a\\b", False),
        ("https://evil.example", False),
        ("javascript:alert(1)", False),
        ("sandbox/", False),
        ("/a\r\nSet-Cookie: x", False),
        ("/\t/evil.example", False),
        ("", False),
    ],
)
def test_only_paths_of_this_site_are_followed(path: str, own: bool) -> None:
    assert is_own_path(path) is own
