"""Codes as people write them."""

from __future__ import annotations

import pytest

from crm.second_factor.codes import (
    fingerprint_code,
    is_app_code,
    make_code,
    read_code,
    space_secret,
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("123 456", "123456"),
        (" 123456\n", "123456"),
        ("K3VQA-7MZDT", "k3vqa7mzdt"),
        ("k3vqa 7mzdt", "k3vqa7mzdt"),
        ("-", ""),
    ],
)
def test_spaces_dashes_and_case_do_not_matter(said: str, expected: str) -> None:
    assert read_code(said) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("123456", True),
        ("12345", False),
        ("1234567", False),
        ("k3vqa7mzdt", False),
        ("2345672345", False),
        ("１２３４５６", False),
        ("", False),
    ],
)
def test_six_digits_are_of_the_app(code: str, expected: bool) -> None:
    assert is_app_code(code) is expected


def test_recovery_codes_differ_and_read_as_they_were_written() -> None:
    codes = {make_code() for _ in range(1_000)}
    assert len(codes) == 1_000
    assert {len(read_code(code)) for code in codes} == {10}
    assert not set("".join(codes)) & set("01")


def test_what_is_stored_fits_its_column_and_is_each_persons_own() -> None:
    kept = fingerprint_code(1, "k3vqa7mzdt")
    assert len(kept) == 16
    assert kept == fingerprint_code(1, "k3vqa7mzdt")
    assert kept != fingerprint_code(2, "k3vqa7mzdt")
    assert kept != fingerprint_code(1, "k3vqa7mzda")


def test_a_secret_is_shown_in_groups_of_four() -> None:
    assert space_secret(b"\x00" * 20) == " ".join(["AAAA"] * 8)
