"""Devices, read-only: apps register them, providers tell when they are gone."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from crm.admin.base import ReadOnlyAdmin
from crm.models import Device


@admin.register(Device)
class DeviceAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "contact", "permission", "state", "last_seen_at")
    list_select_related = ("contact",)
    ordering = ("-pk",)
    search_fields = ("token",)
    search_help_text = "Beginning of the owner's name, e-mail or id, or a whole token"
    empty_hint = "Your apps register them: /api/devices/, or the device in a call."
    # A token is a key to somebody's screen: staff see its end only.
    exclude = ("token", "fid")
    readonly_fields = ("shown_address",)

    @admin.display(description="Token")
    def shown_address(self, device: Device) -> str:
        return f"…{device.address[-8:]}"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Device], search_term: str
    ) -> tuple[QuerySet[Device], bool]:
        return queryset.searched(search_term), False  # type: ignore[attr-defined]
