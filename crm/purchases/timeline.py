"""Port `timeline`: what a contact bought, beside the events that say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db.models import Count, Sum
from django.urls import reverse

from crm.models import Order, Subscription
from crm.ports.timeline import Entry, Panel
from crm.purchases.amounts import show_money, show_price

# Orders shown on the page; the list has the rest.
MAX_ROWS = 10
MAX_LABEL = 60


class PurchaseTimeline:
    """A panel alone: the events of purchases are on the timeline already."""

    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]:
        return ()

    def panels(self, contact_id: int) -> Sequence[Panel]:
        return [read_order_panel(contact_id), read_subscription_panel(contact_id)]


def read_order_panel(contact_id: int) -> Panel:
    """Totals per currency, then the newest orders; two queries."""
    orders = Order.objects.for_contact(contact_id)
    totals = (
        orders.placed()
        .exclude(state=Order.State.CANCELLED)
        .order_by("currency")
        .values_list("currency")
        .annotate(Count("pk"), Sum("net"), Sum("refunded"))
    )
    rows = [describe_total(*total) for total in totals]
    rows += [describe_order(order) for order in orders[:MAX_ROWS]]
    return Panel("Orders", tuple(rows), "Nothing bought yet.")


def describe_total(
    currency: str, count: int, net: Decimal, refunded: Decimal
) -> tuple[str, str, str]:
    many = "1 order" if count == 1 else f"{count:,} orders"
    back = f" after {show_money(refunded, currency)} refunded" if refunded else ""
    return "Spent", f"{show_money(net, currency)} in {many}{back}", ""


def describe_order(order: Order) -> tuple[str, str, str]:
    at = order.placed_at or order.last_at
    parts = [show_money(order.net, order.currency)]
    if order.net != order.gross:
        parts[0] += f" of {show_money(order.gross, order.currency)}"
    parts += [order.get_state_display().lower(), f"{at:%d %b %Y}"]
    url = reverse("admin:crm_order_change", args=[order.pk])
    return order.number[:MAX_LABEL], ", ".join(parts), url


def read_subscription_panel(contact_id: int) -> Panel:
    rows = Subscription.objects.for_contact(contact_id)[:MAX_ROWS]
    lines = tuple(describe_subscription(row) for row in rows)
    return Panel("Subscriptions", lines, "No subscription.")


def describe_subscription(row: Subscription) -> tuple[str, str, str]:
    price = show_price(row.amount, row.currency, row.interval)
    parts = [row.get_status_display().lower(), row.plan, price]
    if row.status == Subscription.Status.TRIALING and row.trial_ends_at:
        parts.append(f"trial ends {row.trial_ends_at:%d %b %Y}")
    elif row.status == Subscription.Status.ACTIVE and row.renews_at:
        parts.append(f"renews {row.renews_at:%d %b %Y}")
    url = reverse("admin:crm_subscription_change", args=[row.pk])
    return row.number[:MAX_LABEL], ", ".join(filter(None, parts)), url
