"""Events whose effects wait, and those that failed three times."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from crm.admin.base import ReadOnlyAdmin, cut_cell
from crm.events.quarantine import drop_pending, retry_pending
from crm.models import PendingEvent


@admin.register(PendingEvent)
class PendingEventAdmin(ReadOnlyAdmin):
    list_display = ("name", "contact", "state", "attempts", "created_at", "error")
    list_select_related = ("contact",)
    list_filter = (("quarantined_at", admin.EmptyFieldListFilter),)
    ordering = ("-pk",)
    actions = ("retry", "drop")
    empty_hint = "All events have taken effect. What fails three times stays here."

    @display(description="State", label={"quarantined": "danger", "waiting": "info"})
    def state(self, row: PendingEvent) -> str:
        return "quarantined" if row.quarantined_at else "waiting"

    @admin.display(description="Last error")
    def error(self, row: PendingEvent) -> str:
        return cut_cell(row.last_error)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The actions of the list need the right; a row itself is read-only.
        return obj is None and request.user.has_perm("crm.change_pendingevent")

    @admin.action(description="Try again", permissions=["change"])
    def retry(self, request: HttpRequest, queryset: QuerySet[PendingEvent]) -> None:
        count = retry_pending(queryset, actor=request.user)
        self.message_user(request, f"{count} will be tried again.", messages.SUCCESS)

    @admin.action(description="Drop the effects", permissions=["change"])
    def drop(self, request: HttpRequest, queryset: QuerySet[PendingEvent]) -> None:
        count = drop_pending(queryset, actor=request.user)
        self.message_user(request, f"{count} dropped.", messages.SUCCESS)
