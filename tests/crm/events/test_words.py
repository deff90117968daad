"""Properties of events in words."""

from __future__ import annotations

from typing import Any

import pytest

from crm.events.words import MAX_WORDS, describe_properties


@pytest.mark.parametrize(
    ("_case", "properties", "words"),
    [
        ("nothing", {}, ""),
        ("text and numbers", {"code": "a", "price": 89.0}, "code: a, price: 89"),
        ("a part of one", {"price": 2.5}, "price: 2.5"),
        ("yes and no", {"new": True, "gone": False}, "new: yes, gone: no"),
        ("what is empty", {"a": None, "b": {}}, "a: nothing, b: none"),
        (
            "lines of an order",
            {"products": [{"code": "a", "quantity": 1}, {"code": "b"}]},
            "products: (code: a, quantity: 1), (code: b)",
        ),
        ("what is deep", {"a": {"b": {"c": {"d": {"e": 1}}}}}, "a: (b: (c: (d: …)))"),
        ("a huge number", {"n": 1e300}, "n: 1e+300"),
    ],
)
def test_words(_case: str, properties: dict[str, Any], words: str) -> None:
    assert describe_properties(properties) == words


def test_long_words_are_cut() -> None:
    words = describe_properties({"text": "a" * 10_000, "many": list(range(10_000))})
    assert len(words) == MAX_WORDS + 1
    assert words.endswith("…")
