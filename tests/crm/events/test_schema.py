"""Every bad input of docs/reliability (section 7 C) has its path and its code."""

from __future__ import annotations

import gzip
import time
from datetime import timedelta

import pytest

from crm.events.limits import BodyRefused, Limits, parse_json, unpack_body
from crm.events.schema import ParsedBatch, parse_batch, parse_single
from tests.factories import NOON

GOOD = b'{"type":"track","event":"Ok","userId":"u"}'


def parse(*raws: bytes) -> ParsedBatch:
    body = b'{"batch":[' + b",".join(raws) + b"]}"
    return parse_batch(body, received_at=NOON, limits=Limits())


def say(value: bytes) -> bytes:
    return (
        b'{"type":"track","event":"Ok","userId":"u","properties":{"k":' + value + b"}}"
    )


MANY_KEYS = b"{" + b",".join(b'"a%d":1' % n for n in range(201)) + b"}"


@pytest.mark.parametrize(
    ("_case", "value", "code", "path"),
    [
        ("null in a value", rb'"a\u0000b"', "null_character", "properties.k"),
        ("null in a key", rb'{"\u0000":1}', "null_character", r"properties.k.\x00"),
        ("lone surrogate", rb'"\ud800"', "lone_surrogate", "properties.k"),
        ("surrogate key", rb'{"\ud800":1}', "lone_surrogate", r"properties.k.\ud800"),
        ("infinite number", b"[1, 1e400]", "number_out_of_range", "properties.k[1]"),
        ("2^53 + 1", b"9007199254740993", "integer_too_big", "properties.k"),
        ("4,000 digits", b"9" * 4_000, "integer_too_big", "properties.k"),
        ("5,000 digits", b"9" * 5_000, "integer_too_big", "properties.k"),
        ("201 keys", MANY_KEYS, "too_many_keys", "properties.k"),
        ("33 kB", b'"' + b"x" * 33_000 + b'"', "event_too_large", ""),
        ("depth 21", b"[" * 19 + b"]" * 19, "too_deep", "properties.k" + "[0]" * 18),
    ],
)
def test_one_bad_item_is_rejected_and_the_rest_is_kept(
    _case: str, value: bytes, code: str, path: str
) -> None:
    batch = parse(GOOD, say(value), GOOD)
    assert [item.index for item in batch.items] == [0, 2]
    assert [(r.index, r.code, r.path) for r in batch.rejected] == [(1, code, path)]


@pytest.mark.parametrize(
    ("_case", "item", "code", "path"),
    [
        ("no object", b"5", "invalid_type", ""),
        ("null", b"null", "invalid_type", ""),
        ("no type", b'{"userId":"u"}', "unknown_type", "type"),
        ("unknown type", b'{"type":"trace","userId":"u"}', "unknown_type", "type"),
        ("no event", b'{"type":"track","userId":"u"}', "required", "event"),
        ("no ids", b'{"type":"track","event":"a"}', "required", "userId"),
        ("blank id", b'{"type":"identify","userId":" "}', "required", "userId"),
        ("float id", b'{"type":"identify","userId":1.5}', "invalid_type", "userId"),
        (
            "null character in an id",
            rb'{"type":"identify","userId":"\u0000"}',
            "null_character",
            "userId",
        ),
        (
            "long id",
            b'{"type":"identify","userId":"' + b"u" * 256 + b'"}',
            "too_long",
            "userId",
        ),
        (
            "long message id",
            b'{"type":"identify","userId":"u","messageId":"' + b"m" * 101 + b'"}',
            "too_long",
            "messageId",
        ),
        (
            "properties no object",
            b'{"type":"track","event":"a","userId":"u","properties":"x"}',
            "invalid_type",
            "properties",
        ),
        (
            "alias of itself",
            b'{"type":"alias","userId":"u","previousId":"u"}',
            "same_id",
            "previousId",
        ),
        ("half an alias", b'{"type":"alias","userId":"u"}', "required", "previousId"),
        ("no group", b'{"type":"group","userId":"u"}', "required", "groupId"),
    ],
)
def test_a_wrong_shape_is_rejected_with_its_path(
    _case: str, item: bytes, code: str, path: str
) -> None:
    rejected = parse(item).rejected
    assert [(r.code, r.path) for r in rejected] == [(code, path)]


@pytest.mark.parametrize(
    "timestamp",
    [
        '"0001-01-01T00:00:00Z"',
        '"0001-01-01T00:00:00+14:00"',
        '"9999-12-31T23:59:59Z"',
        '"2026-06-30T23:59:60Z"',
        '"2026-01-01T24:00:00Z"',
        '"2026-01-01T00:00:00+99:00"',
        '"yesterday"',
        '""',
        "1767225600",
    ],
)
def test_a_wrong_time_is_rejected_with_its_path(timestamp: str) -> None:
    item = f'{{"type":"track","event":"a","userId":"u","timestamp":{timestamp}}}'
    assert [r.path for r in parse(item.encode()).rejected] == ["timestamp"]


def test_a_time_ahead_is_cut_to_five_minutes_and_flagged() -> None:
    item = b'{"type":"track","event":"a","userId":"u","timestamp":"2027-01-01"}'
    (parsed,) = parse(item).items
    assert parsed.occurred_at == NOON + timedelta(minutes=5)
    assert parsed.clock_skewed


@pytest.mark.parametrize(
    ("times", "minute"),
    [
        ('"timestamp":"2026-03-04T11:01:00Z"', 1),
        ('"timestamp":null,"originalTimestamp":"2026-03-04T11:02:00Z"', 2),
        (
            '"timestamp":"2026-03-04T11:01:00Z",'
            '"originalTimestamp":"2026-03-04T11:02:00Z"',
            1,
        ),
        ('"timestamp":null,"originalTimestamp":null', 60),
        ('"sentAt":"2026-03-04T11:02:00Z"', 60),
    ],
)
def test_the_clock_of_the_call_is_read_wherever_it_stands(
    times: str, minute: int
) -> None:
    item = f'{{"type":"track","event":"a","userId":"u",{times}}}'
    (parsed,) = parse(item.encode()).items
    assert parsed.occurred_at == NOON - timedelta(hours=1) + timedelta(minutes=minute)


@pytest.mark.parametrize(
    ("said", "traits"),
    [
        ('"context":{"traits":{"plan":"pro"}}', {"plan": "pro"}),
        (
            '"traits":{"plan":"max"},"context":{"traits":{"plan":"pro","seats":2}}',
            {"plan": "max", "seats": 2},
        ),
        ('"traits":null,"context":{"traits":"none"}', {}),
    ],
)
def test_an_identify_may_carry_its_traits_in_the_context(
    said: str, traits: dict[str, object]
) -> None:
    (parsed,) = parse(f'{{"type":"identify","userId":"u",{said}}}'.encode()).items
    assert parsed.traits == traits


def test_traits_in_the_context_of_an_event_change_nobody() -> None:
    (parsed,) = parse(
        b'{"type":"track","event":"a","userId":"u","context":{"traits":{"a":1}}}'
    ).items
    assert (parsed.traits, parsed.context) == ({}, {"traits": {"a": 1}})


@pytest.mark.parametrize(
    ("_case", "body", "status", "code", "path"),
    [
        ("utf-16", '{"batch":[]}'.encode("utf-16"), 400, "invalid_utf8", ""),
        ("byte order mark", b'\xef\xbb\xbf{"batch":[]}', 400, "invalid_utf8", ""),
        ("invalid utf-8", b'{"batch":["\xff"]}', 400, "invalid_utf8", ""),
        ("no JSON", b"batch", 400, "invalid_json", ""),
        ("empty", b"", 400, "invalid_json", ""),
        ("NaN", b'{"batch":[{"a":NaN}]}', 400, "not_a_number", "batch[0].a"),
        ("Infinity", b'{"batch":[-Infinity]}', 400, "not_a_number", "batch[0]"),
        ("broken escape", rb'{"batch":["\x"]}', 400, "invalid_json", ""),
        ("raw control", b'{"batch":["\x00"]}', 400, "invalid_json", ""),
        ("no batch", b"{}", 400, "required", "batch"),
        ("batch no list", b'{"batch":5}', 400, "invalid_type", "batch"),
        ("no object", b"[]", 400, "invalid_type", ""),
        (
            "context no object",
            b'{"batch":[],"context":5}',
            400,
            "invalid_type",
            "context",
        ),
        (
            "2,501 events",
            b'{"batch":[' + b",".join([b"{}"] * 2_501) + b"]}",
            413,
            "too_many_events",
            "batch",
        ),
    ],
)
def test_a_body_that_does_not_parse_is_refused_whole(
    _case: str, body: bytes, status: int, code: str, path: str
) -> None:
    with pytest.raises(BodyRefused) as refused:
        parse_batch(body, received_at=NOON, limits=Limits())
    fault = refused.value.fault
    assert (refused.value.status, fault.code, fault.path) == (status, code, path)


@pytest.mark.parametrize("depth", [990, 100_000])
def test_deep_nesting_is_refused_in_ten_milliseconds(depth: int) -> None:
    deep = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    started = time.process_time()
    with pytest.raises(BodyRefused) as refused:
        parse_json(deep)
    assert refused.value.fault.code == "too_deep"
    assert time.process_time() - started < 0.01


def test_numbers_as_ids_are_kept_as_text() -> None:
    (item,) = parse(
        b'{"type":"identify","userId":42,"anonymousId":7,"messageId":9}'
    ).items
    assert (item.user_id, item.anonymous_id, item.message_id) == ("42", "7", "9")


def test_the_context_of_the_batch_stands_behind_that_of_each_item() -> None:
    body = (
        b'{"context":{"ip":"1.1.1.1","locale":"de"},"batch":['
        b'{"type":"identify","userId":"u","context":{"locale":"fr"}}]}'
    )
    batch = parse_batch(body, received_at=NOON, limits=Limits())
    assert batch.items[0].context == {"ip": "1.1.1.1", "locale": "fr"}


@pytest.mark.parametrize(
    ("kind", "body", "name", "properties"),
    [
        ("page", b'{"userId":"u","name":"Home"}', "Page Viewed", {"name": "Home"}),
        ("screen", b'{"userId":"u"}', "Screen Viewed", {}),
        (
            "group",
            b'{"userId":"u","groupId":7,"traits":{"plan":"pro"}}',
            "$group",
            {"group_id": "7", "traits": {"plan": "pro"}},
        ),
        ("identify", b'{"userId":"u","traits":{"a":1}}', "", {}),
    ],
)
def test_calls_without_an_event_get_a_fixed_name(
    kind: str, body: bytes, name: str, properties: dict[str, object]
) -> None:
    item, _ = parse_single(body, kind, received_at=NOON, limits=Limits())
    assert (item.name, item.properties) == (name, properties)


def test_a_bad_single_call_is_refused_with_its_path() -> None:
    with pytest.raises(BodyRefused) as refused:
        parse_single(b'{"userId":"u"}', "track", received_at=NOON, limits=Limits())
    assert (refused.value.status, refused.value.fault.path) == (400, "event")


def test_a_single_call_over_32_kB_is_too_large() -> None:
    body = b'{"userId":"u","event":"a","properties":{"k":"' + b"x" * 33_000 + b'"}}'
    with pytest.raises(BodyRefused) as refused:
        parse_single(body, "track", received_at=NOON, limits=Limits())
    assert refused.value.status == 413


def test_a_zipped_body_is_read_whatever_its_headers_say() -> None:
    assert unpack_body(gzip.compress(GOOD, mtime=0), 1_000) == GOOD


@pytest.mark.parametrize(
    ("_case", "body", "status", "code"),
    [
        ("bomb", gzip.compress(b"0" * 10_000_000, mtime=0), 413, "body_too_large"),
        ("plain", b"0" * 1_001, 413, "body_too_large"),
        ("cut short", gzip.compress(b"0" * 100, mtime=0)[:-9], 400, "invalid_gzip"),
        ("not gzip", b"\x1f\x8b nothing", 400, "invalid_gzip"),
    ],
)
def test_a_body_never_grows_beyond_its_limit(
    _case: str, body: bytes, status: int, code: str
) -> None:
    with pytest.raises(BodyRefused) as refused:
        unpack_body(body, 1_000)
    assert (refused.value.status, refused.value.fault.code) == (status, code)
