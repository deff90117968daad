"""The tracking plan: each event with its owner, and where it is not kept to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.admin.base import cut_cell
from crm.models import PlannedEvent
from crm.quality.expectations import (
    TYPES,
    Expected,
    PlanRefused,
    read_lines,
    write_lines,
)
from crm.quality.plan import check_planned, drop_planned, save_planned


class ExpectedLines(forms.CharField):
    """Properties, one a line: `name type`, and `required` where it is."""

    widget = UnfoldAdminTextareaWidget

    def clean(self, value: Any) -> list[Expected]:
        try:
            return read_lines(super().clean(value))
        except PlanRefused as refused:
            raise ValidationError(str(refused)) from refused


class PlannedEventForm(forms.ModelForm):
    expected = ExpectedLines(
        label="Properties",
        required=False,
        help_text="One a line, as in “price number required”. Types: "
        f"{', '.join(TYPES)}. Empty: any properties are fine.",
    )

    class Meta:
        model = PlannedEvent
        fields = ("name", "description", "owner")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["expected"].initial = write_lines(self.instance.properties)


@admin.register(PlannedEvent)
class PlannedEventAdmin(ModelAdmin):
    form = PlannedEventForm
    change_form_template = "admin/crm/plannedevent/change_form.html"
    list_display = ("shown_name", "shown_status", "owner", "shown_last", "shown_about")
    list_display_links = ("shown_name",)
    list_select_related = ("owner",)
    list_per_page = 50
    actions = None
    fields = ("name", "description", "owner", "expected")
    search_fields = ("name", "description")
    empty_hint = "Say which events should come, what with, and who answers for them."

    @admin.display(description="Event", ordering="name")
    def shown_name(self, event: PlannedEvent) -> str:
        return cut_cell(event.name)

    @display(
        description="Status",
        label={"planned": "info", "live": "success", "blocked": "danger"},
    )
    def shown_status(self, event: PlannedEvent) -> str:
        return str(event.status)  # type: ignore[attr-defined]

    @admin.display(description="Last seen")
    def shown_last(self, event: PlannedEvent) -> datetime | None:
        return event.last_seen_at  # type: ignore[attr-defined]

    @admin.display(description="Description")
    def shown_about(self, event: PlannedEvent) -> str:
        return cut_cell(event.description)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlannedEvent]:
        return PlannedEvent.objects.with_status()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name",) if obj else ()

    def save_model(
        self, request: HttpRequest, obj: PlannedEvent, form: Any, change: bool
    ) -> None:
        save_planned(obj, expected=form.cleaned_data["expected"], actor=request.user)

    def delete_model(self, request: HttpRequest, obj: PlannedEvent) -> None:
        drop_planned(obj, actor=request.user)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        planned = context.get("original")
        if planned is not None:
            context["check"] = check_planned(planned, now=timezone.now())
            context["may_fix"] = request.user.has_perm("crm.add_datafix")
        return super().render_change_form(request, context, *args, **kwargs)
