"""Fixes of data: drafted with a preview, then applied, then undone, each a deed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.decorators import display

from crm.admin.base import MadeOnceAdmin, OwnPageAdmin, cut_cell
from crm.models import DataFix
from crm.quality.fixing import (
    PREVIEW,
    FixRefused,
    apply_fix,
    preview_fix,
    save_fix,
    undo_fix,
)

RIGHT = "crm.change_datafix"
TARGET_HELP = (
    "To rename: the new name. To change a type: "
    f"{', '.join(DataFix.TYPES)}. Otherwise nothing."
)
Deed = Callable[..., DataFix]


class DataFixForm(forms.ModelForm):
    class Meta:
        model = DataFix
        fields = ("kind", "name", "key", "target")
        help_texts = {
            "name": "The event, as it comes.",
            "key": "To ignore a property or to change its type. Of an event that "
            "is renamed, by its new name.",
            "target": TARGET_HELP,
        }


@admin.register(DataFix)
class DataFixAdmin(OwnPageAdmin, MadeOnceAdmin):
    own_template = "crm/quality/fix.html"
    form = DataFixForm
    list_display = ("shown_deed", "kind", "shown_state", "made_by", "applied_at")
    list_display_links = ("shown_deed",)
    list_filter = ("kind",)
    list_per_page = 50
    actions = None
    search_fields = ("name", "key", "target")
    empty_hint = "What is wrong stands under Data quality, each with its fix."
    fieldsets = (
        (
            None,
            {
                "fields": ("kind", "name", "key", "target"),
                "description": "A draft first: its page shows what it would do. It "
                "holds for events to come; those that came keep what they say.",
            },
        ),
    )

    @admin.display(description="Fix")
    def shown_deed(self, fix: DataFix) -> str:
        return cut_cell(str(fix))

    @display(
        description="State",
        label={"draft": "info", "applied": "success", "undone": "warning"},
    )
    def shown_state(self, fix: DataFix) -> str:
        return fix.state

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataFix]:
        return DataFix.objects.newest_first()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: DataFix, form: Any, change: bool
    ) -> None:
        save_fix(obj, actor=request.user)

    def response_add(self, request: HttpRequest, obj: DataFix, *_: Any) -> HttpResponse:
        return redirect("admin:crm_datafix_change", obj.pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        deeds: dict[str, Deed] = {"apply": apply_fix, "undo": undo_fix}
        return [
            *(
                path(
                    f"<int:pk>/{name}/",
                    view(require_POST(partial(self.deed_view, deed=deed))),
                    name=f"crm_datafix_{name}",
                )
                for name, deed in deeds.items()
            ),
            *super().get_urls(),
        ]

    def deed_view(self, request: HttpRequest, pk: int, *, deed: Deed) -> HttpResponse:
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        get_object_or_404(DataFix, pk=pk)
        now: datetime = timezone.now()
        try:
            fix = deed(pk, actor=request.user, at=now)
        except FixRefused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, f"{fix.state.capitalize()}: {fix}.")
        return redirect("admin:crm_datafix_change", pk)

    def describe_row(self, request: HttpRequest, row: DataFix) -> dict[str, Any]:
        """The row with its preview."""
        told: dict[str, Any] = {
            "fix": row,
            "days": PREVIEW.days,
            "may_change": request.user.has_perm(RIGHT),
        }
        if row.state != DataFix.State.UNDONE:
            told["preview"] = preview_fix(row, now=timezone.now())
        return told
