"""Text that is safe and fits."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications.content.text import (
    ELLIPSIS,
    clean_line,
    clean_text,
    count_graphemes,
    fit_bytes,
    truncate_graphemes,
)

FAMILY = "👩\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("_case", "raw", "expected"),
    [
        ("plain", "Hello", "Hello"),
        ("edges", "  Hello ", "Hello"),
        ("override", "abc\u202egpj.exe", "abcgpj.exe"),
        ("isolate", "a\u2066b\u2069c", "abc"),
        ("nul and bell", "a\x00b\x07c", "abc"),
        ("escape", "a\x1b[31mb", "a[31mb"),
        ("c1 control", "a\x9bb", "ab"),
        ("lone surrogate", "a\ud800b\udfffc", "abc"),
        ("byte order mark", "\ufeffHi", "Hi"),
        ("line breaks", "a\r\nb\rc\u2028d\u2029e", "a\nb\nc\nd\ne"),
        ("family emoji", FAMILY, FAMILY),
        ("persian joiner", "می\u200cخواهم", "می\u200cخواهم"),
        ("weather", "🌬️ Brrr, ’", "🌬️ Brrr, ’"),
        ("stack of marks", "e" + "\u0301" * 10_000, "e" + "\u0301" * 8),
        ("thai", "ที่นี่", "ที่นี่"),
    ],
)
def test_invisible_tricks_are_dropped(_case: str, raw: str, expected: str) -> None:
    assert clean_text(raw) == expected


def test_a_line_has_no_breaks() -> None:
    assert clean_line("One\n\n two\tthree\r\n") == "One two three"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abc", 3), (FAMILY * 2, 2), ("🇳🇴🇸🇪", 2), ("e\u0301", 1), ("", 0)],
)
def test_graphemes_are_counted_as_a_reader_does(text: str, expected: int) -> None:
    assert count_graphemes(text) == expected


def test_truncation_never_splits_a_grapheme() -> None:
    assert truncate_graphemes(FAMILY * 5, 3) == FAMILY * 2 + ELLIPSIS


def test_text_at_its_limit_is_left_alone() -> None:
    assert truncate_graphemes("x" * 65, 65) == "x" * 65
    assert truncate_graphemes("x" * 66, 65) == "x" * 64 + ELLIPSIS


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers(0, 50))
def test_truncated_text_fits_and_begins_like_the_whole(text: str, limit: int) -> None:
    short = truncate_graphemes(text, limit)

    assert count_graphemes(short) <= limit
    if short != text:
        assert text.startswith(short.removesuffix(ELLIPSIS))
    assert truncate_graphemes(short, limit) == short


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers(0, 60))
def test_fitted_text_is_within_its_bytes(text: str, limit_bytes: int) -> None:
    short = fit_bytes(text, limit_bytes)

    assert len(short.encode()) <= limit_bytes
    assert text.startswith(short.removesuffix(ELLIPSIS))


@settings(deadline=None)
@given(st.text())
def test_cleaned_text_is_clean_and_stays_so(text: str) -> None:
    once = clean_text(text)

    assert clean_text(once) == once
    assert not {unicodedata.category(char) for char in once} & {"Cs"}
    assert not set(once) & set("\u202a\u202b\u202c\u202d\u202e\x00\x1b")
