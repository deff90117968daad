"""What staff see of a refused call: its shape, and nobody's data."""

from __future__ import annotations

import json

import pytest

from crm.quality.samples import MAX_SAMPLE, find_call, shape_path, write_sample

CALL = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ada-7",
    "timestamp": "2026-13-01T10:00:00Z",
    "properties": {
        "email": "ada@example.com",
        "phone": 491701234567,
        "paid": True,
        "products": [{"code": "SW-901", "price": 89.5}],
        "ada@example.com": "Größe",
    },
}


def test_letters_and_digits_are_masked_but_for_the_vocabulary() -> None:
    sample = json.loads(write_sample(CALL))

    assert sample == {
        "type": "track",
        "event": "Order Completed",
        "userId": "xxx-0",
        "timestamp": "2026-13-01T10:00:00Z",
        "properties": {
            "email": "xxx@xxxxxxx.xxx",
            "phone": "000000000000",
            "paid": True,
            "products": [{"code": "xx-000", "price": "00.0"}],
            "xxx@xxxxxxx.xxx": "xxxxx",
        },
    }


@pytest.mark.parametrize(
    ("field", "said", "shown"),
    [
        ("timestamp", "yesterday at Ada's", "xxxxxxxxx xx xxx'x"),
        ("event", "ada@example.com bought", "xxx@xxxxxxx.xxx xxxxxx"),
        ("type", "x" * 99, "x" * 59 + "…"),
    ],
)
def test_a_plain_field_that_holds_something_else_is_masked_or_cut(
    field: str, said: str, shown: str
) -> None:
    assert json.loads(write_sample({field: said})) == {field: shown}


def test_a_sample_stays_small_whatever_was_sent() -> None:
    deep: object = "x"
    for _ in range(30):
        deep = {"a": [deep] * 9}
    wide = {f"key-{n}": "y" * 500 for n in range(190)}

    assert len(write_sample({"deep": deep, **wide})) <= MAX_SAMPLE


@pytest.mark.parametrize(
    ("body", "index", "call"),
    [
        (b'{"batch": [{"a": 1}, {"b": 2}]}', 1, {"b": 2}),
        (b'{"batch": [{"a": 1}]}', 5, None),
        (b'{"event": "x"}', 0, {"event": "x"}),
        (b'[{"a": 1}]', 0, {"a": 1}),
        (b'{"batch": 7}', 0, {"batch": 7}),
        (b'{"broken', 0, None),
        (b"\xff\xfe", 0, None),
        (b"", 0, None),
        (b"[" * 5_000, 0, None),
    ],
)
def test_the_call_is_found_in_its_batch_or_not_at_all(
    body: bytes, index: int, call: object
) -> None:
    assert find_call(body, index) == call


def test_no_call_has_no_sample() -> None:
    assert write_sample(None) == ""


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("properties.items[31].price", "properties.items[].price"),
        ("traits.ada@example.com", "xxxxxx.xxx@xxxxxxx.xxx"),
        ("a" * 300, "a" * 119 + "…"),
        ("", ""),
    ],
)
def test_a_path_names_the_place_and_not_the_row(path: str, shape: str) -> None:
    assert shape_path(path) == shape
