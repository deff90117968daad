"""Events as they came, and the vocabulary they make; read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.admin.base import ReadOnlyAdmin, cut_cell
from crm.events.words import describe_properties
from crm.models import Event, EventName


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("occurred_at", "name", "whose", "money", "source", "said")
    list_display_links = None
    list_select_related = ("contact",)
    # The table's own key: the newest page is read from it, whatever its size.
    ordering = ("-occurred_at", "-id")
    sortable_by = ()
    search_fields = ("name",)
    search_help_text = "Beginning of a contact's name, e-mail or id"
    empty_hint = "Send the first one to /v1/track with an API key of scope track."

    @admin.display(description="Properties")
    def said(self, event: Event) -> str:
        return describe_properties(event.properties)

    @admin.display(description="Contact")
    def whose(self, event: Event) -> SafeString:
        url = reverse("admin:crm_contact_change", args=[event.contact_id])
        name = cut_cell(event.contact.display_name)
        return format_html('<a class="apr-link" href="{}">{}</a>', url, name)

    @admin.display(description="Value")
    def money(self, event: Event) -> str:
        if event.value is None:
            return "–"
        return f"{event.value.normalize():f} {event.currency}".strip()

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
    fields = readonly_fields = list_display
    search_fields = ("name__icontains",)
    search_help_text = "Part of a name"
    empty_hint = "Each new name of an event is noted here when it first comes."

    @admin.display(description="Properties")
    def shown_properties(self, name: EventName) -> str:
        return cut_cell(", ".join(name.properties))
