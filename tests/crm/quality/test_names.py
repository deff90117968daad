"""Names that look alike, and names that must not be said to."""

from __future__ import annotations

import pytest

from crm.quality.names import LETTER, ORDER, SPELLING, Similar, list_similar


@pytest.mark.parametrize(
    ("kept", "other", "why"),
    [
        ("Product Viewed", "product_viewed", SPELLING),
        ("Product Viewed", "productViewed", SPELLING),
        ("HTTP Failed", "HTTPFailed", SPELLING),
        ("Größe Gewählt", "größe-gewählt", SPELLING),
        ("Product Viewed", "Viewed Product", ORDER),
        ("Product Viewed", "Prodct Viewed", LETTER),
        ("Product Viewed", "Products Viewed", LETTER),
        ("Product Viewed", "Product Veiwed", LETTER),
        ("Product Viewed", "Product Vjewed", LETTER),
    ],
)
def test_names_alike_are_told_once_with_the_reason(
    kept: str, other: str, why: str
) -> None:
    assert list_similar([kept, other]) == [Similar(kept, other, why)]


@pytest.mark.parametrize(
    "names",
    [
        ("Step 1", "Step 2"),
        ("Checkout Step 1", "Checkout Step 11"),
        ("Liked", "Linked"[:-1] + "g"),
        ("Add", "Ad"),
        ("Order Completed", "Order Cancelled"),
        ("Product Added", "Product Removed"),
        ("!!!", "???"),
        ("Product Viewed", "Prodct Veiwed"),
    ],
)
def test_other_names_are_left_alone(names: tuple[str, str]) -> None:
    assert list_similar(names) == []


def test_each_name_is_told_beside_the_first_it_resembles() -> None:
    names = ["Order Completed", "order_completed", "Completed Order", "Order Complete"]

    found = list_similar(names)

    assert {one.kept for one in found} == {"Order Completed"}
    assert [one.other for one in found] == names[1:]


def test_two_thousand_names_take_no_time_to_speak_of() -> None:
    names = [f"{'x' * (n % 150)} event of {n} kinds" for n in range(2_000)]

    assert list_similar(names) == []
