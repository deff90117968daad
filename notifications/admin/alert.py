"""Alerts: read, follow, resolve."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from crm.admin.base import ReadOnlyAdmin
from notifications.delivery.alerts import resolve_alert
from notifications.models import Alert


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        return [("no", "Open"), ("yes", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "no":
            return queryset.filter(resolved_at=None)
        if self.value() == "yes":
            return queryset.exclude(resolved_at=None)
        return queryset


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("text", "shown_state", "raised_at", "resolved_at")
    list_display_links = None
    list_filter = (OpenFilter,)
    ordering = ("-raised_at",)
    actions = ("resolve",)

    @display(description="State", label={"open": "danger", "resolved": "success"})
    def shown_state(self, alert: Alert) -> str:
        return "resolved" if alert.resolved_at else "open"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        if not request.user.has_perm("notifications.change_alert"):
            return {}
        found = super().get_actions(request)
        return {name: found[name] for name in self.actions if name in found}

    @admin.action(description="Resolve")
    def resolve(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        done = sum(resolve_alert(alert, by=request.user) for alert in queryset)
        messages.success(request, f"{done} alerts resolved.")
