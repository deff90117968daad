"""Frequency caps and quiet hours: declarations over one function each."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifications.decisioning.limits import remove_limit, save_limit
from notifications.models import FrequencyCap, QuietHours
from notifications.models.channel import Channel


class LimitAdmin(ModelAdmin):
    """What is left empty means all."""

    list_per_page = 50
    ordering = ("name",)
    list_select_related = ("topic",)

    @display(description="Topic")
    def shown_topic(self, limit: Any) -> str:
        return str(limit.topic or "All")

    @display(description="Channel")
    def shown_channel(self, limit: Any) -> str:
        return limit.get_channel_display() or "All"

    def formfield_for_choice_field(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "channel":
            kwargs["choices"] = [("", "All channels"), *Channel.choices]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            field.empty_label = "All topics"
        return field

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: Any
    ) -> None:
        save_limit(obj, by=request.user, changed=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        remove_limit(obj, by=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        for limit in queryset:
            remove_limit(limit, by=request.user)


class FrequencyCapForm(forms.ModelForm):
    class Meta:
        model = FrequencyCap
        fields = ("name", "is_active", "channel", "topic", "kind", "limit", "n", "unit")
        labels = {
            "is_active": "In force",
            "limit": "At most",
            "n": "In",
            "unit": "Unit",
        }
        help_texts = {
            "limit": "Messages.",
            "n": "So many hours, days, weeks or months.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # For the page's script: the gap between two needs no number of messages.
        self.fields["kind"].widget.attrs["data-shows"] = "rolling:limit calendar:limit"


@admin.register(FrequencyCap)
class FrequencyCapAdmin(LimitAdmin):
    form = FrequencyCapForm
    list_display = ("name", "shown_rule", "shown_channel", "shown_topic", "shown_state")
    fieldsets = (
        (None, {"fields": (("name", "is_active"), ("channel", "topic"))}),
        (
            "The limit",
            {
                "fields": ("kind", "limit", ("n", "unit")),
                "description": "Of promotional messages to one person. All caps in "
                "force apply together.",
            },
        ),
    )

    @display(description="In force", boolean=True)
    def shown_state(self, cap: FrequencyCap) -> bool:
        return cap.is_active

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
