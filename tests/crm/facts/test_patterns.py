from __future__ import annotations

import re
import time

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.facts.comparisons import Comparison, match_text
from crm.facts.patterns import translate_pattern
from crm.facts.versions import key_version
from crm.ports.facts import RuleError

TEXTS = ["", "a", "ab-1", "a\nb", "éa", "50%", "[x]", "\\", "a.b", "x" * 1_000]


def matches(text: str, pattern: str) -> bool:
    test = match_text("%s::text", (text,), Comparison("matches", pattern))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {test.text}", test.params)
        return cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "pattern",
    [
        "^a", "b$", "^a.b$", r"\d", r"^\w+$", r"[^a-z]", "(a|x){1,3}", r"\.", r"\[x\]",
        r"^[\w-]+$", r"[\]\\]", "^.?$", "x{50}", "a+", r"[é-ü]", "[$^.]", r"\%",
    ],
)  # fmt: skip
def test_a_pattern_means_in_postgresql_what_it_means_elsewhere(pattern: str) -> None:
    plain = pattern.replace("$", r"\Z") if pattern.endswith("$") else pattern
    expected = [bool(re.search(plain, one, re.ASCII | re.DOTALL)) for one in TEXTS]

    assert [matches(one, pattern) for one in TEXTS] == expected


@pytest.mark.django_db
def test_a_text_of_more_than_1000_letters_matches_nothing() -> None:
    assert matches("x" * 1_000, "x")
    assert not matches("x" * 1_001, "x")


@pytest.mark.parametrize(
    "pattern",
    [
        "", "(", ")", "a)", "[a", "[]", "a|", "|", "()", "a**", "a{2}{2}", "a{51}",
        "{2}", "a{", "a{x}", "a{2,1}", "a{0}", "*a", "(?=a)", "(?i)a", r"(a)\1", r"\b",
        r"\x41",
        "[[:alpha:]]", "[z-a]", r"[\d-z]", "^*", "((a{50}){50}){50}", "a" * 201, "a]",
        "(" * 11 + "a" + ")" * 11, "a}", "\\",
    ],
)  # fmt: skip
def test_what_is_no_pattern_of_ours_is_refused(pattern: str) -> None:
    with pytest.raises(RuleError, match=r"root\.value: ") as refused:
        translate_pattern(pattern, "root.value")
    assert refused.value.code == "pattern"


@settings(max_examples=500, derandomize=True)
@given(pattern=st.text("ab|()[]{}^$.*+?\\-1,dw", max_size=12))
def test_whatever_is_taken_is_a_pattern_elsewhere_too(pattern: str) -> None:
    try:
        translated = translate_pattern(pattern, "value")
    except RuleError:
        return
    re.compile(translated)


@pytest.mark.django_db
def test_a_hard_pattern_ends_in_time() -> None:
    start = time.perf_counter()
    assert not matches("a" * 999 + "!", "^((a|aa)+a*){1,5}(a|b)*[ab]{20}b$")
    assert time.perf_counter() - start < 2


def test_versions_are_ordered_as_semver_says() -> None:
    ordered = [
        "0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1", "v1.0.1", "1.2", "1.10",
    ]  # fmt: skip
    keys = [key_version(text) for text in ordered]

    assert None not in keys
    assert keys == sorted(keys, key=lambda key: key or [])
    assert key_version("1.0+build.5") == key_version("1.0.0")
    for text in ["", "x", "1.", "1.x", "1.2.3.4.5", "1.0-", "1.0-a..b", " 1", "1\n"]:
        assert key_version(text) is None


@pytest.mark.django_db
def test_postgresql_orders_versions_by_the_same_key() -> None:
    texts = ["1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "v1", "1.10", "no"]
    for left in texts:
        for right in texts[:-1]:
            test = match_text(
                "%s::text", (left,), Comparison("version_at_least", right)
            )
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {test.text}", test.params)
                found = cursor.fetchone()[0]
            one, other = key_version(left), key_version(right)
            assert found == (one is not None and other is not None and one >= other)
