"""No cell we write runs in a spreadsheet, and what we wrote reads back as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from crm.imports.formulas import DANGEROUS, NUMBER, neutralise


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+44 20", "'+44 20"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("-5", "-5"),
        ("+441234567890", "+441234567890"),
        ("-5.25", "-5.25"),
        ("-1+1", "'-1+1"),
        (-5, -5),
        (None, None),
        ("plain", "plain"),
        ("it's", "it's"),
    ],
)
def test_a_formula_gets_an_apostrophe_and_a_number_stays(
    value: Any, expected: Any
) -> None:
    assert neutralise(value) == expected


@given(some.text() | some.text().map(lambda text: f"={text}"))
def test_only_numbers_are_written_as_a_formula_begins(text: str) -> None:
    written = neutralise(text)
    assert not written.startswith(DANGEROUS) or NUMBER.fullmatch(written)
    assert written in (text, f"'{text}")
