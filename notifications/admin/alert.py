"""Alerts: read, follow, resolve."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from crm.admin.base import ReadOnlyAdmin
from notifications.delivery.alerts import resolve_alert
from notifications.models import Alert

# What a cause begins with, and the page of its row.
PAGES = {
    "sender": "admin:notifications_sender_change",
    "campaign": "admin:notifications_campaign_report",
}


def find_page(cause: str) -> str:
    """Where the cause of an alert is mended; '' where no page is for it."""
    kind, _, rest = cause.partition(":")
    number = rest.partition(":")[0]
    if kind not in PAGES or not number.isdecimal():
        return ""
    return reverse(PAGES[kind], args=[number])


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
    list_display = ("shown_text", "shown_state", "raised_at", "resolved_at")
    list_display_links = None
    list_filter = (OpenFilter,)
    ordering = ("-raised_at",)
    actions = ("resolve",)

    @display(description="What happened")
    def shown_text(self, alert: Alert) -> str:
        """A link to the page where it is mended."""
        page = alert.url or find_page(alert.cause)
        if not page:
            return alert.text
        return format_html('<a class="apr-link" href="{}">{}</a>', page, alert.text)

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
        messages.success(request, f"{done} alert{pluralize(done)} resolved.")
