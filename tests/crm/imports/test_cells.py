"""A cell becomes a value of its column's kind, or says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from crm.imports.cells import CellRefused, guess_kind, read_cell


@pytest.mark.parametrize(
    ("text", "kind", "dates", "expected"),
    [
        ("hello", "text", "iso", "hello"),
        ("-5", "number", "iso", -5),
        ("007", "number", "iso", 7),
        ("1.50", "number", "iso", 1.5),
        ("1e3", "number", "iso", 1000.0),
        ("Yes", "boolean", "iso", True),
        ("0", "boolean", "iso", False),
        ("2026-03-31", "date", "iso", "2026-03-31"),
        ("31/03/2026", "date", "day_first", "2026-03-31"),
        ("03/31/2026", "date", "month_first", "2026-03-31"),
        ("31.03.2026 14:05", "date", "day_first", "2026-03-31T14:05:00+00:00"),
        ("2026-03-31T14:05:00+02:00", "date", "iso", "2026-03-31T12:05:00+00:00"),
        ("1774915200", "date", "unix", "2026-03-31T00:00:00+00:00"),
    ],
)
def test_a_good_cell_is_read(text: str, kind: str, dates: str, expected: Any) -> None:
    found = read_cell(text, kind, dates=dates)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "kind", "dates", "code"),
    [
        ("a\x00b", "text", "iso", "null_character"),
        ("a\udc81", "text", "iso", "lone_surrogate"),
        ("1,5", "number", "iso", "not_a_number"),
        ("nan", "number", "iso", "not_a_number"),
        ("1e400", "number", "iso", "number_out_of_range"),
        (str(2**53 + 1), "number", "iso", "integer_too_big"),
        ("9" * 5_000, "number", "iso", "not_a_number"),
        ("maybe", "boolean", "iso", "not_a_boolean"),
        ("31/03/2026", "date", "iso", "invalid_date"),
        ("31/03/2026", "date", "month_first", "invalid_date"),
        ("0001-01-01", "date", "iso", "invalid_date"),
        ("9999-12-31T23:59:59-14:00", "date", "iso", "invalid_date"),
        ("-1", "date", "unix", "invalid_date"),
        ("inf", "date", "unix", "invalid_date"),
    ],
)
def test_a_bad_cell_says_what_is_wrong(
    text: str, kind: str, dates: str, code: str
) -> None:
    with pytest.raises(CellRefused) as refused:
        read_cell(text, kind, dates=dates)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], "text"),
        (["1", "", "-2.5"], "number"),
        (["1", "two"], "text"),
        (["02134"], "text"),
        (["+441234"], "text"),
        (["1" * 16], "text"),
        (["yes", "no"], "boolean"),
        (["2026-03-31", "2026-04-01"], "date"),
    ],
)
def test_the_kind_is_guessed_where_every_sample_is_of_it(
    samples: list[str], expected: str
) -> None:
    assert guess_kind(samples) == expected
