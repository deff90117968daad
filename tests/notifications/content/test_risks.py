"""Values that a template prints without a fallback."""

from __future__ import annotations

import pytest

from notifications.content.risks import UnguardedValue, find_unguarded_values


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", []),
        ("{{ customer.city }}", ["customer.city"]),
        ("{{ customer.city | default: 'x' }}", []),
        ("{{ customer.city | upcase }}", ["customer.city"]),
        ("{% if customer.city %}{{ customer.city }}{% endif %}", []),
        ("{% if customer.vip %}{{ customer.city }}{% endif %}", ["customer.city"]),
        ("{% unless customer.a == blank %}{{ customer.a }}{% endunless %}", []),
        (
            "{% if a %}x{% elsif customer.b %}{{ customer.b }}{% endif %}",
            [],
        ),
        ("{% assign x = customer.city %}{{ x }}", ["customer.city", "x"]),
        ("{{ 'a' | append: customer.city }}", ["customer.city"]),
    ],
)
def test_unguarded_values_are_found(source: str, expected: list[str]) -> None:
    assert [value.path for value in find_unguarded_values(source)] == expected


def test_each_is_told_once_with_its_first_line() -> None:
    source = "Hi\n{{ customer.city }}\n{{ customer.city }}"

    assert find_unguarded_values(source) == [UnguardedValue("customer.city", 2)]
