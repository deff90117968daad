"""Typed fields: definitions and values."""

from __future__ import annotations

from typing import Any

import pytest

from crm.catalog.fields import Field, FieldRefused, read_attributes, read_fields
from crm.catalog.rows import TAKEN, read_row

SIZES = Field("sizes", "list", required=True)
FIELDS = (
    SIZES,
    Field("deposit", "money"),
    Field("heavy", "boolean"),
    Field("weight", "number"),
    Field("out", "time"),
    Field("film", "url"),
    Field("note", "text"),
)


@pytest.mark.parametrize(
    ("_case", "said", "path", "code"),
    [
        ("no list", {}, "fields", "invalid_type"),
        ("no object", [1], "fields[0]", "invalid_type"),
        ("no name", [{"type": "text"}], "fields[0].name", "invalid_name"),
        ("big letter", [{"name": "A", "type": "text"}], "fields[0].name", None),
        ("type", [{"name": "a", "type": "colour"}], "fields[0].type", "unknown_type"),
        ("a column", [{"name": "price", "type": "text"}], "fields[0].name", "taken"),
        (
            "twice",
            [{"name": "a", "type": "text"}] * 2,
            "fields[1].name",
            "repeated",
        ),
        (
            "required",
            [{"name": "a", "type": "text", "required": "yes"}],
            "fields[0].required",
            None,
        ),
        ("more", [{"name": "a", "type": "text", "x": 1}], "fields[0].x", None),
    ],
)
def test_a_definition_that_is_none_is_refused_with_its_path(
    _case: str, said: Any, path: str, code: str | None
) -> None:
    with pytest.raises(FieldRefused) as caught:
        read_fields(said, taken=frozenset(TAKEN))
    assert caught.value.fault.path == path
    assert code is None or caught.value.fault.code == code


def test_definitions_are_read() -> None:
    said = [{"name": "sizes", "type": "list", "required": True}]
    assert read_fields(said, taken=frozenset(TAKEN)) == (SIZES,)


@pytest.mark.parametrize(
    ("name", "said", "kept"),
    [
        ("sizes", "41, 42,", ["41", "42"]),
        ("sizes", [41, "42"], ["41", "42"]),
        ("deposit", 12.5, "12.50"),
        ("deposit", "12", "12.00"),
        ("heavy", "Yes", True),
        ("heavy", 0, False),
        ("weight", "3", 3),
        ("weight", "3.25", 3.25),
        ("out", "2026-03-04T13:00:00+01:00", "2026-03-04T12:00:00+00:00"),
        ("out", "2026-03-04", "2026-03-04T00:00:00+00:00"),
        ("film", "https://a.no/f", "https://a.no/f"),
        ("note", 7, "7"),
        ("note", "", None),
    ],
)
def test_a_value_is_kept_as_its_type_says(name: str, said: Any, kept: Any) -> None:
    values = read_attributes({"sizes": ["1"], name: said}, FIELDS)
    assert values.get(name) == kept


@pytest.mark.parametrize(
    ("name", "said", "path", "code"),
    [
        ("sizes", [], "sizes", "required"),
        ("sizes", {"a": 1}, "sizes", "invalid_type"),
        ("sizes", ["a", {"b": 1}], "sizes[1]", "invalid_type"),
        ("deposit", "12.505", "deposit", "too_precise"),
        ("deposit", "12,50", "deposit", "not_a_number"),
        ("deposit", True, "deposit", "invalid_type"),
        ("weight", "1e400", "weight", "number_out_of_range"),
        ("weight", "nan", "weight", "number_out_of_range"),
        ("heavy", "maybe", "heavy", "invalid_type"),
        ("out", "soon", "out", "invalid_time"),
        ("film", "JavaScript:alert(1)", "film", "link_refused"),
        ("note", "a\x00b", "note", "null_character"),
        ("note", "\ud800", "note", "lone_surrogate"),
        ("note", "x" * 5_001, "note", "too_long"),
        ("colour", "red", "colour", "unknown_field"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(
    name: str, said: Any, path: str, code: str
) -> None:
    with pytest.raises(FieldRefused) as caught:
        read_attributes({"sizes": ["1"], name: said}, FIELDS)
    assert (caught.value.fault.path, caught.value.fault.code) == (path, code)


def test_a_whole_row_empties_what_it_leaves_out_and_a_partial_one_does_not() -> None:
    whole = read_row({"code": "a", "name": "A"}, ())
    assert (whole["price"], whole["category"], whole["attributes"]) == (None, "", {})
    assert read_row({"code": 7, "stock": "3"}, (), partial=True) == {
        "code": "7",
        "stock": 3,
    }


def test_typed_fields_may_stand_beside_the_columns_as_in_a_file() -> None:
    row = {"code": "a", "name": "A", "sizes": "41,42", "attributes": {"note": "n"}}
    assert read_row(row, FIELDS)["attributes"] == {"sizes": ["41", "42"], "note": "n"}


@pytest.mark.parametrize(
    ("row", "path", "code"),
    [
        ("text", "", "invalid_type"),
        ({"name": "A"}, "code", "required"),
        ({"code": "a"}, "name", "required"),
        ({"code": ["a"], "name": "A"}, "code", "invalid_type"),
        ({"code": "a", "name": "A", "price": "-1"}, "price", "below_0"),
        ({"code": "a", "name": "A", "stock": 1.5}, "stock", "not_a_whole_number"),
        ({"code": "a", "name": "A", "stock": 2**31}, "stock", "not_a_whole_number"),
        ({"code": "a", "name": "A", "currency": "EURO"}, "currency", "too_long"),
        ({"code": "a", "name": "A", "currency": "E1"}, "currency", "invalid_currency"),
        ({"code": "a", "name": "A", "currency": "€"}, "currency", "invalid_currency"),
        ({"code": "a", "name": "A", "size": 1}, "size", "unknown_field"),
        ({"code": "a", "name": "A", "attributes": [1]}, "attributes", "invalid_type"),
        (
            {"code": "a", "name": "A", "attributes": {"x": {"y": 2**60}}},
            "attributes.x.y",
            "integer_too_big",
        ),
    ],
)
def test_a_wrong_row_is_refused_with_its_path(row: Any, path: str, code: str) -> None:
    with pytest.raises(FieldRefused) as caught:
        read_row(row, ())
    assert (caught.value.fault.path, caught.value.fault.code) == (path, code)
