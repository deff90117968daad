"""Reading events about orders: which say what, and of which order. Pure.

Names are ours, of Segment's e-commerce spec, and near names that shops use; names of
the spec's first edition are translated at ingest already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crm.events.amounts import VALUE_KEYS, read_currency, read_value
from crm.events.commerce import list_lines, read_price, read_product_code

PLACED, UPDATED, REFUNDED, CANCELLED = "placed", "updated", "refunded", "cancelled"
ORDER_EVENTS: dict[str, str] = {
    "Order Completed": PLACED,
    "Order Placed": PLACED,
    "Placed Order": PLACED,
    "purchase": PLACED,
    "Order Updated": UPDATED,
    "Order Refunded": REFUNDED,
    "Order Partially Refunded": REFUNDED,
    "refund": REFUNDED,
    "Order Cancelled": CANCELLED,
    "Order Canceled": CANCELLED,
}
ORDER_KEYS = ("order_id", "orderId", "order_number", "transaction_id")
REFUND_KEYS = ("refund_id", "refundId")
# Tried first; then what an order's value is read from.
REFUND_AMOUNTS = ("refund_amount", "amount_refunded", "amount", *VALUE_KEYS)
MAX_NUMBER = 255
MAX_LINES = 100
CENT = Decimal("0.0001")
# numeric(20, 4)
MAX_AMOUNT = Decimal(10) ** 15
QUANTITY_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class OrderWord:
    """What an event says about an order; None and '' say nothing."""

    number: str
    kind: str
    amount: Decimal | None
    currency: str
    refund_id: str = ""
    lines: tuple[dict[str, Any], ...] = ()


def read_order_word(
    name: str, properties: Mapping[str, Any], *, message_id: str
) -> OrderWord | None:
    """The word of an event of `ORDER_EVENTS`, None where it names no order.

    An order without an id is still money that came in: it goes by its message.
    """
    kind = ORDER_EVENTS[name]
    number = read_key(properties, ORDER_KEYS)
    if not number and kind == PLACED:
        number = f"message:{message_id}"
    if not number:
        return None
    currency = read_currency(properties.get("currency"))
    if kind != REFUNDED:
        return OrderWord(number, kind, read_gross(properties), currency)
    return OrderWord(
        number,
        kind,
        read_refund(properties),
        currency,
        read_key(properties, REFUND_KEYS),
        tuple(read_lines(properties)),
    )


def read_key(properties: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The first of these that is an id, as text; '' where none is."""
    for key in keys:
        value = properties.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value).strip()
            if text and len(text) <= MAX_NUMBER:
                return text
    return ""


def read_gross(properties: Mapping[str, Any]) -> Decimal | None:
    """An order's value, as the event's own; else what its lines add up to."""
    value = read_value(properties)
    return clean_amount(value) if value is not None else sum_lines(properties)


def read_refund(properties: Mapping[str, Any]) -> Decimal | None:
    """What a refund gives back, whatever its sign; None: all that is left."""
    value = read_value(properties, REFUND_AMOUNTS)
    if value is not None:
        return clean_amount(value.lstrip("+-"))
    return sum_lines(properties)


def clean_amount(text: str) -> Decimal:
    """Within what the column holds; an order is worth nothing at least."""
    amount = max(Decimal(0), min(Decimal(text), MAX_AMOUNT))
    # As PostgreSQL rounds an event's value.
    return amount.quantize(CENT, ROUND_HALF_UP)


def sum_lines(properties: Mapping[str, Any]) -> Decimal | None:
    """The lines' prices times their quantities, None where none is told."""
    parts = [
        Decimal(line["price"]) * line["quantity"]
        for line in read_lines(properties)
        if "price" in line
    ]
    return min(sum(parts, Decimal(0)), MAX_AMOUNT).quantize(CENT) if parts else None


def read_lines(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Code, quantity and price of the first lines, as far as they are told."""
    found = []
    for said in list(list_lines(properties))[:MAX_LINES]:
        line: dict[str, Any] = {"quantity": read_quantity(said.get("quantity"))}
        if code := read_product_code(said):
            line["code"] = code[:MAX_NUMBER]
        if price := read_price(said.get("price")):
            line["price"] = price
        found.append(line)
    return found


def read_quantity(value: Any) -> int:
    """A whole number from one on; one where it is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 1
    return min(abs(value), QUANTITY_MAX) or 1
