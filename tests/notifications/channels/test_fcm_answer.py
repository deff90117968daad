"""The table of FCM's answers, beyond what the contract sees over the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.base import Outcome
from notifications.channels.fcm_answer import (
    DETAIL_MAX_CHARS,
    PROVABLY_UNSENT,
    Answer,
    Fault,
    classify_answer,
    parse_retry_after,
)
from tests.notifications.channels.conftest import make_push

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_answer(status: int | None = None, body: Any = b"", **more: Any) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(NOW, 0.1, status=status, body=raw, **more)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_fault_is_unsent_only_when_nothing_left_us(fault: Fault) -> None:
    result = classify_answer(make_answer(fault=fault, detail="why"), make_push())
    unsent = fault in PROVABLY_UNSENT
    assert result.outcome is (Outcome.NOT_SENT if unsent else Outcome.AMBIGUOUS)
    assert (result.code, result.detail) == (fault.value.upper(), "why")
    assert result.breaker == ("sender" if unsent and fault != "deadline" else "")


@pytest.mark.parametrize(
    ("_case", "text", "expected"),
    [
        ("nothing", "", None),
        ("seconds", "30", 30.0),
        ("zero", "0", 0.0),
        ("spaces", " 7 ", 7.0),
        ("a date", "Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
        ("a date gone by", "Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("a date without zone", "Sun, 22 Nov 2026 12:01:00", 60.0),
        ("a far date", "Sun, 22 Nov 2036 12:00:00 GMT", 21_600.0),
        ("a week", "604800", 21_600.0),
        ("digits without end", "9" * 400, None),
        ("negative", "-5", None),
        ("other digits", "٣٠", None),
        ("words", "soon", None),
        ("not a number", "nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    _case: str, text: str, expected: float | None
) -> None:
    assert parse_retry_after(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, Outcome.AMBIGUOUS),
        (101, Outcome.AMBIGUOUS),
        (301, Outcome.CONFIG),
        (408, Outcome.AMBIGUOUS),
        (405, Outcome.CONFIG),
        (413, Outcome.REJECTED),
        (451, Outcome.CONFIG),
        (429, Outcome.NOT_SENT),
        (501, Outcome.AMBIGUOUS),
        (599, Outcome.AMBIGUOUS),
    ],
)
def test_odd_statuses_fall_to_the_safe_side(status: int, outcome: Outcome) -> None:
    assert classify_answer(make_answer(status), make_push()).outcome is outcome


def test_unregistered_counts_only_with_its_own_status() -> None:
    details = [
        {
            "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
            "errorCode": "UNREGISTERED",
        }
    ]
    body = {"error": {"status": "NOT_FOUND", "message": "x", "details": details}}
    assert classify_answer(make_answer(404, body), make_push()).address_state == "gone"
    for status in (400, 403, 410):
        result = classify_answer(make_answer(status, body), make_push())
        assert result.address_state == ""


def test_unregistered_by_another_kind_of_detail_prunes_nothing() -> None:
    details = [{"@type": "type.example/Other", "errorCode": "UNREGISTERED"}]
    body = {"error": {"status": "NOT_FOUND", "message": "x", "details": details}}
    result = classify_answer(make_answer(404, body), make_push())
    assert (result.outcome, result.address_state) == (Outcome.CONFIG, "")


@pytest.mark.parametrize(
    ("_case", "message", "shown"),
    [
        ("the token", "no tok-1 here", "no [address] here"),
        ("the fid", "no fid-1 here", "no [address] here"),
        ("a key", f"key {'Ab1_' * 20} end", "key […] end"),
        ("control characters", "a\r\n\x00b\u202ec", "a b c"),
        ("endless", "word " * 200, ("word " * 60)[:DETAIL_MAX_CHARS]),
    ],
)
def test_the_detail_is_short_and_says_no_secret(
    _case: str, message: str, shown: str
) -> None:
    body = {"error": {"status": "INTERNAL", "message": message}}
    push = make_push(token="tok-1", fid="fid-1")
    assert classify_answer(make_answer(500, body), push).detail == shown


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "status", "details", "@type", "errorCode", "name", "message"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(status=st.integers(100, 599), body=json_values)
def test_no_body_makes_it_raise_and_only_a_name_means_sent(
    status: int, body: Any
) -> None:
    result = classify_answer(make_answer(status, body), make_push())
    named = isinstance(body, dict) and isinstance(body.get("name"), str)
    if result.outcome is Outcome.SENT:
        assert status == 200
        assert named
        assert result.provider_id
    assert len(result.detail) <= DETAIL_MAX_CHARS


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_bytes_make_it_raise(status: int, body: bytes) -> None:
    classify_answer(make_answer(status, body), make_push())


def test_nesting_without_end_is_garbage() -> None:
    deep = b"[" * 60_000
    assert classify_answer(make_answer(200, deep), make_push()).code == "NO_NAME"
    assert classify_answer(make_answer(500, deep), make_push()).code == "HTTP_500"
