"""Orders and what is left of them after refunds; read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from crm.admin.base import OfContactAdmin, OwnPageAdmin, ReadOnlyAdmin, cut_cell
from crm.models import Order, OrderEntry
from crm.purchases.amounts import show_money
from crm.purchases.history import SHOWN

# States as unfold's labels colour them.
LABELS = {
    "paid": "success",
    "partially refunded": "warning",
    "refunded": "warning",
    "cancelled": "danger",
    "not placed yet": "info",
}


@admin.register(Order)
class OrderAdmin(OwnPageAdmin, OfContactAdmin, ReadOnlyAdmin):
    own_template = "crm/order.html"
    list_display = (
        "shown_number",
        "shown_contact",
        "shown_state",
        "placed_at",
        "shown_gross",
        "shown_refunded",
        "shown_net",
    )
    list_display_links = ("shown_number",)
    list_filter = ("state", "is_mixed")
    list_select_related = ("contact",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = "Orders are made of the events Order Completed and Order Refunded."

    @admin.display(description="Order")
    def shown_number(self, row: Order) -> str:
        return cut_cell(row.number)

    @admin.display(description="Contact")
    def shown_contact(self, row: Order) -> str:
        return cut_cell(row.contact.display_name)

    @display(description="State", label=LABELS)
    def shown_state(self, row: Order) -> str:
        return row.get_state_display().lower()

    @admin.display(description="Gross")
    def shown_gross(self, row: Order) -> str:
        return show_money(row.gross, row.currency)

    @admin.display(description="Refunded")
    def shown_refunded(self, row: Order) -> str:
        return show_money(row.refunded, row.currency) if row.refunded else "–"

    @admin.display(description="Net")
    def shown_net(self, row: Order) -> str:
        return show_money(row.net, row.currency)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return Order.objects.select_related("contact")

    def describe_row(self, request: HttpRequest, row: Order) -> dict[str, Any]:
        said = OrderEntry.objects.of_pairs([(row.contact_id, row.number)])
        return {
            "order": row,
            "gross": show_money(row.gross, row.currency),
            "refunded": show_money(row.refunded, row.currency),
            "net": show_money(row.net, row.currency),
            "excess": show_money(row.excess, row.currency),
            "history": [
                (entry, describe_amount(entry, row)) for entry in said.newest(SHOWN)
            ],
        }


def describe_amount(entry: OrderEntry, row: Order) -> str:
    """What the event said of money, in its own currency or the order's."""
    if entry.amount is not None:
        return show_money(entry.amount, entry.currency or row.currency)
    return "all that was left" if entry.kind == OrderEntry.Kind.REFUNDED else ""
