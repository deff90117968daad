from __future__ import annotations

import pytest

from crm.buckets import hash_fnv1a, hash_position


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)],
)
def test_fnv1a_gives_its_authors_vectors(text: str, expected: int) -> None:
    assert hash_fnv1a(text) == expected


# seed, value, position: hash version 2 in GrowthBook's cases.json.
VECTORS = [
    ("seed", "a", 0.0505),
    ("seed", "b", 0.2696),
    ("foo", "ab", 0.2575),
    ("foo", "def", 0.2019),
    ("89123klj", "8952klfjas09ujkasdf", 0.124),
    ("90850943850283058242805", "123", 0.7516),
    ("()**(%$##$%#$#", '___)((*":&', 0.0128),
]


@pytest.mark.parametrize(("seed", "value", "expected"), VECTORS)
def test_position_gives_growthbooks_published_vectors(
    seed: str, value: str, expected: float
) -> None:
    assert hash_position(seed, value) == expected
