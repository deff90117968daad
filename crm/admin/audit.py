"""Who changed what, when and why: read-only, newest first."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from crm.admin.base import ReadOnlyAdmin
from crm.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_name", "action", "object_type", "object_name")
    list_display_links = ("at",)
    ordering = ("-at",)
    search_fields = ("object_id",)
    search_help_text = "Kind and id of one object, such as crm.contact 42"
    empty_hint = "Whatever staff, keys and rules change is written here."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        kind, _, name = search_term.strip().rpartition(" ")
        if not name:
            return queryset, False
        return queryset.about(kind, name), False  # type: ignore[attr-defined]
