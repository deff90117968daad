"""A shop's events, processed as a worker would."""

from __future__ import annotations

from typing import Any

from crm.events.schema import Item
from crm.models import Contact, Order
from crm.profiles import find_contact
from notifications import pipeline
from tests.crm.events.calls import record, say


def tell(name: str, message_id: str, /, *, at: float = 0, **properties: Any) -> Item:
    """Ada's event, `at` hours after noon."""
    return say(
        name=name,
        user_id="ada",
        message_id=message_id,
        at=at,
        properties=properties,
    )


def take(*items: Item) -> None:
    record(*items)
    pipeline.process_pending(budget_s=30)


def ada() -> Contact:
    contact = find_contact("ada")
    assert contact is not None
    return contact


def read_orders() -> list[tuple[str, str, str, str, str]]:
    """Number, state, gross, refunded and net of each order there is."""
    return [
        (
            row.number,
            row.state,
            *(f"{n:.2f}" for n in (row.gross, row.refunded, row.net)),
        )
        for row in Order.objects.order_by("contact", "number")
    ]
