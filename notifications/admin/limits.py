"""Frequency caps and quiet hours: declarations over one function each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifications.decisioning.limits import remove_limit, save_limit
from notifications.models import FrequencyCap, QuietHours


class LimitAdmin(ModelAdmin):
    list_per_page = 50
    ordering = ("name",)
    list_select_related = ("topic",)

    @display(description="Topic")
    def shown_topic(self, limit: Any) -> str:
        return str(limit.topic or "All")

    @display(description="Channel")
    def shown_channel(self, limit: Any) -> str:
        return limit.get_channel_display() or "All"

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: Any
    ) -> None:
        save_limit(obj, by=request.user, changed=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        remove_limit(obj, by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for limit in queryset:
            remove_limit(limit, by=request.user)


@admin.register(FrequencyCap)
class FrequencyCapAdmin(LimitAdmin):
    list_display = ("name", "shown_rule", "shown_channel", "shown_topic", "is_active")
    fieldsets = (
        (None, {"fields": (("name", "is_active"), ("channel", "topic"))}),
        (
            "The limit",
            {
                "fields": ("kind", ("limit", "n", "unit")),
                "description": "At most so many messages in so many hours, days, weeks "
                "or months; a cooldown is the shortest gap between two. All active "
                "caps apply together.",
            },
        ),
    )

    @display(description="Rule")
    def shown_rule(self, cap: FrequencyCap) -> str:
        unit = f"{cap.n} {cap.unit}s" if cap.n != 1 else str(cap.unit)
        if cap.kind == FrequencyCap.Kind.COOLDOWN:
            return f"{unit} between two"
        if cap.kind == FrequencyCap.Kind.CALENDAR:
            return f"{cap.limit} per calendar {cap.unit}"
        return f"{cap.limit} in any {unit}"


@admin.register(QuietHours)
class QuietHoursAdmin(LimitAdmin):
    list_display = ("name", "starts", "ends", "shown_channel", "shown_topic")
    fieldsets = (
        (
            None,
            {
                "fields": ("name", ("starts", "ends"), ("channel", "topic")),
                "description": "Promotional messages wait, or are skipped as their "
                "campaign says. The hours are each person's own.",
            },
        ),
    )
