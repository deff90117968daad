"""Erased people: found by an identifier that is typed in, and let back on purpose."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from crm.admin.base import ReadOnlyAdmin
from crm.events.tombstones import find_graves
from crm.models import Tombstone
from crm.privacy import lift_tombstones


@admin.register(Tombstone)
class TombstoneAdmin(ReadOnlyAdmin):
    list_display = ("shown_person", "laid_at")
    list_display_links = None
    ordering = ("-pk",)
    sortable_by = ()
    # Anything here shows the field; `get_search_results` does the search.
    search_fields = ("contact",)
    search_help_text = "A whole id, e-mail or phone number: only its hash is kept"
    actions = ("lift",)
    empty_hint = (
        "Whoever is erased on the contact's page or by the API stays erased: late "
        "calls and files do not bring them back. Customer.io's delete leaves none."
    )

    @admin.display(description="Person")
    def shown_person(self, row: Tombstone) -> str:
        return str(row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tombstone]:
        """One row for each person, whatever the number of their identifiers."""
        return Tombstone.objects.one_for_each()

    def lookup_allowed(
        self, lookup: str, value: str, request: HttpRequest | None = None
    ) -> bool:
        """Nobody asks for a hash, and an address line can not write one."""
        is_mark = lookup.partition("__")[0] == "mark"
        return not is_mark and super().lookup_allowed(lookup, value, request)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Tombstone], search_term: str
    ) -> tuple[QuerySet[Tombstone], bool]:
        if search_term.strip():
            queryset = queryset.filter(contact__in=find_graves(search_term))
        return queryset, False

    def has_lift_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("crm.delete_tombstone")

    @admin.action(description="Let them come back", permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Tombstone]) -> None:
        for row in queryset:
            lift_tombstones(row.contact_id, actor=request.user)
        count = len(queryset)
        message = f"{count} may come back with their next call or file."
        self.message_user(request, message, messages.SUCCESS)
