"""Purchases as plain data, for the person they are about."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from crm.models import Order, OrderEntry, Subscription, SubscriptionEntry


def export_orders(contact_id: int) -> list[dict[str, Any]]:
    """Each order with everything that was said of it; two queries."""
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in OrderEntry.objects.filter(contact=contact_id).oldest_first():
        said[entry.number].append(
            {
                "what": entry.kind,
                "at": entry.at.isoformat(),
                "amount": None if entry.amount is None else str(entry.amount),
                "currency": entry.currency,
                "lines": entry.lines,
            }
        )
    return [
        {
            "order": order.number,
            "state": order.state,
            "placed_at": order.placed_at.isoformat() if order.placed_at else None,
            "gross": str(order.gross),
            "refunded": str(order.refunded),
            "net": str(order.net),
            "currency": order.currency,
            "history": said[order.number],
        }
        for order in Order.objects.for_contact(contact_id)
    ]


def export_subscriptions(contact_id: int) -> list[dict[str, Any]]:
    """Each subscription with everything that was said of it; two queries."""
    said: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in SubscriptionEntry.objects.filter(contact=contact_id).oldest_first():
        said[entry.number].append(
            {"what": entry.kind, "by_time": entry.by_time, **write_columns(entry)}
        )
    return [
        {
            "subscription": row.number,
            **write_columns(row),
            "history": said[row.number],
        }
        for row in Subscription.objects.for_contact(contact_id)
    ]


# Of a subscription or of a word about one; which has which is in the model.
COLUMNS = (
    *("at", "status", "plan", "amount", "currency", "interval", "started_at"),
    *("trial_ends_at", "renews_at", "cancelled_at"),
)


def write_columns(row: Subscription | SubscriptionEntry) -> dict[str, Any]:
    """What is told of it, ready for JSON; what is not is left out."""
    found = {name: getattr(row, name, None) for name in COLUMNS}
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in found.items()
        if value not in (None, "")
    }
