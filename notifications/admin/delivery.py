"""Messages: a read-only list, and one page that answers why or why not."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.urls import URLPattern, path
from django.utils.text import Truncator
from django.views.decorators.http import require_POST
from unfold.decorators import display

from crm.admin.base import OwnPageAdmin, ReadOnlyAdmin, cut_cell
from crm.bell import ring_on_commit
from crm.models import Contact
from notifications.admin.filters import (
    CampaignFilter,
    ReasonFilter,
    SourceFilter,
    StateFilter,
)
from notifications.delivery.explain import explain_delivery, list_moments
from notifications.delivery.quarantine import drop_quarantined, retry_quarantined
from notifications.models import Delivery, RenderedMessage
from notifications.reasons import name_reason

# States as unfold's labels colour them.
LABELS = {
    "sent": "success",
    "skipped": "warning",
    "expired": "warning",
    "unknown": "warning",
    "failed": "danger",
    "quarantined": "danger",
    "pending": "info",
    "claimed": "info",
    "sending": "info",
    "cancelled": "neutral",
    "held_out": "neutral",
}
RIGHT = "notifications.change_delivery"
# Letters of a campaign's name: its report has the rest.
NAME_SHOWN = 48


@admin.register(Delivery)
class DeliveryAdmin(OwnPageAdmin, ReadOnlyAdmin):
    own_template = "notifications/delivery.html"
    list_display = (
        "shown_contact",
        "shown_campaign",
        "shown_state",
        "shown_reason",
        "due_at",
        "shown_rung",
    )
    list_display_links = ("shown_contact",)
    list_filter = (StateFilter, ReasonFilter, CampaignFilter, SourceFilter)
    list_select_related = ("contact", "campaign")
    # uuid7: newest first, by the primary key's own index.
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("contact",)
    search_help_text = "Beginning of a contact's name, e-mail or id"
    actions = ("retry", "drop")

    @display(description="Contact")
    def shown_contact(self, row: Delivery) -> str:
        return cut_cell(row.contact.display_name)

    @display(description="Campaign")
    def shown_campaign(self, row: Delivery) -> str:
        if row.campaign is None:
            return str(row.get_source_kind_display())
        return Truncator(row.campaign.name).chars(NAME_SHOWN)

    @display(description="State", label=LABELS)
    def shown_state(self, row: Delivery) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @display(description="Reason")
    def shown_reason(self, row: Delivery) -> str:
        return cut_cell(row.detail or name_reason(row.reason)) or "–"

    @display(description="Reached")
    def shown_rung(self, row: Delivery) -> str:
        rungs = ("converted", "clicked", "opened", "delivered", "sent")
        return next((name for name in rungs if getattr(row, f"{name}_at")), "–")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        if not search_term.strip():
            return queryset, False
        found = Contact.objects.all().find_ids(search_term)
        return queryset.filter(contact__in=found), False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Staff's word is asked for in the quarantine only."""
        if request.GET.get("state") != "quarantined" or not request.user.has_perm(
            RIGHT
        ):
            return {}
        found = super().get_actions(request)
        return {name: found[name] for name in self.actions if name in found}

    @admin.action(description="Try again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._retry(request, [row.pk for row in queryset])

    @admin.action(description="Drop: never send")
    def drop(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._drop(request, [row.pk for row in queryset])

    def _retry(self, request: HttpRequest, ids: list[uuid.UUID]) -> None:
        done = retry_quarantined(ids, by=request.user)
        ring_on_commit()
        messages.success(request, f"{done} message{pluralize(done)} tried again.")

    def _drop(self, request: HttpRequest, ids: list[uuid.UUID]) -> None:
        done = drop_quarantined(ids, by=request.user)
        messages.success(request, f"{done} message{pluralize(done)} dropped.")

    def describe_row(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        return {
            "title": f"Message to {row.contact}",
            "row": row,
            "answer": explain_delivery(row),
            "moments": list_moments(row),
            "attempts": row.attempts.select_related("device").order_by("number"),
            "reports": row.engagements.order_by("at"),
            "rendered": RenderedMessage.objects.filter(delivery_id=row.pk).first(),
            "may_decide": row.state == Delivery.State.QUARANTINED
            and request.user.has_perm(RIGHT),
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return Delivery.objects.select_related("contact", "campaign", "sender")

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<uuid:pk>/decide/",
                self.admin_site.admin_view(require_POST(self.decide_view)),
                name="notifications_delivery_decide",
            ),
            *super().get_urls(),
        ]

    def decide_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Retry or drop one quarantined message."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        deed = self._drop if request.POST.get("deed") == "drop" else self._retry
        deed(request, [pk])
        return redirect("admin:notifications_delivery_change", pk)
