"""Events as they came, and the vocabulary they make; read-only."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from crm.admin.base import ReadOnlyAdmin, cut_cell
from crm.models import Event, EventName


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("occurred_at", "name", "contact", "value", "source", "said")
    list_display_links = None
    list_select_related = ("contact",)
    # The table's own key: the newest page is read from it, whatever its size.
    ordering = ("-occurred_at", "-id")
    sortable_by = ()
    search_fields = ("name",)
    search_help_text = "Beginning of a contact's name, e-mail or id"

    @admin.display(description="Properties")
    def said(self, event: Event) -> str:
        return cut_cell(json.dumps(event.properties, ensure_ascii=False))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        return queryset.of_searched(search_term), False  # type: ignore[attr-defined]

    def get_object(self, *args: Any, **kwargs: Any) -> None:
        # No page of its own: the key is (occurred_at, id), and an id alone would
        # read every partition. The contact's page shows its events.
        return None


@admin.register(EventName)
class EventNameAdmin(ReadOnlyAdmin):
    list_display = ("name", "first_seen_at", "last_seen_at", "shown_properties")
    search_fields = ("name__icontains",)

    @admin.display(description="Properties")
    def shown_properties(self, name: EventName) -> str:
        return cut_cell(", ".join(name.properties))
