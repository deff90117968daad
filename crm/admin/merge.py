"""Merges: who became whom and why; undone here, made on a contact's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.decorators import display

from crm.admin.base import OwnPageAdmin, ReadOnlyAdmin, cut_cell
from crm.bell import ring_on_commit
from crm.events.merge import MergeRefused
from crm.events.unmerge import find_hindrance, undo_merge
from crm.models import Merge

# Making and undoing merges: one right, since each is the other's remedy.
RIGHT = "crm.change_merge"
MAX_REASON = 200


@admin.register(Merge)
class MergeAdmin(OwnPageAdmin, ReadOnlyAdmin):
    own_template = "crm/merge.html"
    list_display = ("shown_pair", "made_at", "made_by", "shown_reason", "shown_state")
    list_display_links = ("shown_pair",)
    list_filter = (("undone_at", admin.EmptyFieldListFilter),)
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("target",)
    search_help_text = "Beginning of a name, an e-mail or an id of who it is now"

    @admin.display(description="Merge")
    def shown_pair(self, row: Merge) -> str:
        return cut_cell(str(row))

    @admin.display(description="Reason")
    def shown_reason(self, row: Merge) -> str:
        return cut_cell(row.reason) or "–"

    @display(description="State", label={"undone": "warning", "stands": "success"})
    def shown_state(self, row: Merge) -> str:
        return "undone" if row.undone_at else "stands"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Merge]:
        return Merge.objects.newest_first()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Merge], search_term: str
    ) -> tuple[QuerySet[Merge], bool]:
        return queryset.of_searched(search_term), False  # type: ignore[attr-defined]

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:pk>/undo/",
                self.admin_site.admin_view(require_POST(self.undo_view)),
                name="crm_merge_undo",
            ),
            *super().get_urls(),
        ]

    def describe_row(self, request: HttpRequest, row: Merge) -> dict[str, Any]:
        return {
            "merge": row,
            "hindrance": find_hindrance(row, at=timezone.now()),
            "may_undo": request.user.has_perm(RIGHT),
        }

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give the contact that went what was its own."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        row = get_object_or_404(Merge, pk=pk)
        reason = request.POST.get("reason", "").strip()[:MAX_REASON]
        try:
            person = undo_merge(
                row, actor=request.user, at=timezone.now(), reason=reason
            )
        except MergeRefused as refused:
            messages.error(request, str(refused))
            return redirect("admin:crm_merge_change", pk)
        ring_on_commit()
        messages.success(request, f"{person} is a contact of its own again.")
        return redirect("admin:crm_contact_change", person.pk)
