from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crm.purchases.words import ORDER_EVENTS, OrderWord, read_order_word

LINES = {"products": [{"sku": "a", "price": 10, "quantity": 2}, {"price": "2.50"}]}


@pytest.mark.parametrize(
    ("_case", "name", "properties", "expected"),
    [
        (
            "segment",
            "Order Completed",
            {"order_id": "1", "revenue": 25.5, "total": 30, "currency": "eur"},
            OrderWord("1", "placed", Decimal("25.5000"), "EUR"),
        ),
        (
            "a number",
            "Order Placed",
            {"order_number": 17, "total": "9.90"},
            OrderWord("17", "placed", Decimal("9.9000"), ""),
        ),
        (
            "google",
            "purchase",
            {"transaction_id": "T1", "value": 5},
            OrderWord("T1", "placed", Decimal(5), ""),
        ),
        (
            "no id",
            "Order Completed",
            {"total": 4},
            OrderWord("message:m", "placed", Decimal(4), ""),
        ),
        (
            "lines alone",
            "Order Updated",
            {"order_id": "1", **LINES},
            OrderWord("1", "updated", Decimal("22.5000"), ""),
        ),
        (
            "below nothing",
            "Order Completed",
            {"order_id": "1", "total": -4},
            OrderWord("1", "placed", Decimal(0), ""),
        ),
        (
            "unsaid",
            "Order Cancelled",
            {"order_id": "1"},
            OrderWord("1", "cancelled", None, ""),
        ),
        ("lost", "Order Refunded", {"total": 4}, None),
        ("no text", "Order Refunded", {"order_id": True}, None),
        ("too long", "Order Refunded", {"order_id": "x" * 256}, None),
        (
            "of all",
            "Order Refunded",
            {"order_id": "1"},
            OrderWord("1", "refunded", None, ""),
        ),
        (
            "with a sign",
            "refund",
            {"transaction_id": "1", "value": -4, "refund_id": "r"},
            OrderWord("1", "refunded", Decimal(4), "", "r"),
        ),
        (
            "own amount first",
            "Order Refunded",
            {"order_id": "1", "total": 30, "refund_amount": 4},
            OrderWord("1", "refunded", Decimal(4), ""),
        ),
    ],
)  # fmt: skip
def test_word(
    _case: str, name: str, properties: dict[str, Any], expected: OrderWord | None
) -> None:
    assert read_order_word(name, properties, message_id="m") == expected


def test_a_refund_by_its_lines_keeps_them() -> None:
    word = read_order_word("Order Refunded", {"order_id": 1, **LINES}, message_id="m")

    assert word == OrderWord(
        "1",
        "refunded",
        Decimal("22.5000"),
        "",
        lines=(
            {"code": "a", "price": "10.00", "quantity": 2},
            {"price": "2.50", "quantity": 1},
        ),
    )  # fmt: skip


@pytest.mark.parametrize("name", ORDER_EVENTS)
@pytest.mark.parametrize("odd", [None, [], {}, True, 1e300, -1e300, "x", "\ud800", 1.5])
def test_odd_values_are_passed_over(name: str, odd: Any) -> None:
    keys = ("currency", "total", "amount", "revenue", "products", "refund_id", "items")
    said = {"order_id": "1", **dict.fromkeys(keys, odd), "lines": [odd, {"price": odd}]}

    word = read_order_word(name, said, message_id="m")

    assert word is not None
    assert word.number == "1"
    assert word.amount is None or 0 <= word.amount <= 10**15
