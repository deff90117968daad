"""Subscriptions, how they stand and how they came to it; read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from crm.admin.base import OfContactAdmin, OwnPageAdmin, ReadOnlyAdmin, cut_cell
from crm.models import Subscription, SubscriptionEntry
from crm.purchases.amounts import show_price
from crm.purchases.history import describe_history

# States as unfold's labels colour them.
LABELS = {
    "active": "success",
    "trialing": "info",
    "past due": "warning",
    "paused": "warning",
    "cancelled": "danger",
    "expired": "danger",
    "unknown": "neutral",
}


@admin.register(Subscription)
class SubscriptionAdmin(OwnPageAdmin, OfContactAdmin, ReadOnlyAdmin):
    own_template = "crm/subscription.html"
    list_display = (
        "shown_number",
        "shown_contact",
        "shown_status",
        "shown_plan",
        "shown_price",
        "trial_ends_at",
        "renews_at",
    )
    list_display_links = ("shown_number",)
    list_filter = ("status", "interval")
    list_select_related = ("contact",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = "They are made of events such as Trial Started, Subscription Started."

    @admin.display(description="Subscription")
    def shown_number(self, row: Subscription) -> str:
        return cut_cell(row.number)

    @admin.display(description="Contact")
    def shown_contact(self, row: Subscription) -> str:
        return cut_cell(row.contact.display_name)

    @display(description="Status", label=LABELS)
    def shown_status(self, row: Subscription) -> str:
        return row.get_status_display().lower()

    @admin.display(description="Plan")
    def shown_plan(self, row: Subscription) -> str:
        return cut_cell(row.plan) or "–"

    @admin.display(description="Price")
    def shown_price(self, row: Subscription) -> str:
        return show_price(row.amount, row.currency, row.interval) or "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return Subscription.objects.select_related("contact")

    def describe_row(self, request: HttpRequest, row: Subscription) -> dict[str, Any]:
        said = SubscriptionEntry.objects.of_pairs([(row.contact_id, row.number)])
        return {
            "subscription": row,
            "price": show_price(row.amount, row.currency, row.interval),
            "history": describe_history(list(said)),
        }
