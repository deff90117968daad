"""What all staff pages over big tables share."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.events.limits import BodyRefused, Limits, parse_json
from crm.models import Contact

# A text in a list is cut here, so that one fat row can not fatten the page.
MAX_CELL = 200


class PrefilledAdmin(ModelAdmin):
    """Forms whose address may fill them in; what is no time there fills nothing.

    Django hands the text of the address to the widget of a time, which fails on it.
    """

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        said = super().get_changeform_initial_data(request)
        times = {
            field.name
            for field in self.model._meta.get_fields()
            if isinstance(field, DateTimeField)
        }
        read = {name: read_time(said[name]) for name in times & said.keys()}
        return {**said, **read}


def read_time(said: str) -> datetime | None:
    try:
        at = parse_datetime(said)
    except ValueError:
        return None
    return make_aware(at) if at and is_naive(at) else at


class BigTableAdmin(PrefilledAdmin):
    """Pages without a count: `SELECT count(*)` of a million rows takes seconds."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_disable_select_all = True
    # What an empty list says under "No … yet"; any ModelAdmin may have one.
    empty_hint = ""


class ReadOnlyAdmin(BigTableAdmin):
    """Rows that only the machine writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OwnPageAdmin(ModelAdmin):
    """Rows told on a page of their own, `own_template`, in which nothing is edited."""

    own_template = ""

    def describe_row(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the template needs besides what every page of the admin has."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(row),
            **self.describe_row(request, row),
        }
        return render(request, self.own_template, context)


class OfContactAdmin(BigTableAdmin):
    """Rows that are looked up by whose they are, through the contacts' own indexes."""

    # Anything here shows the field; `get_search_results` does the search.
    search_fields: tuple[str, ...] = ("contact",)
    search_help_text = "Beginning of a contact's name, e-mail or id"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if search_term.strip():
            ids = Contact.objects.all().find_ids(search_term)
            queryset = queryset.filter(contact__in=ids)
        return queryset, False


class MadeOnceAdmin(PrefilledAdmin):
    """Rows that are made and never edited: nothing to continue, none to add beside."""

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        buttons = {
            "show_save_and_continue": False,
            "show_save_and_add_another": False,
        }
        return super().add_view(request, form_url, {**buttons, **(extra_context or {})})


class StrictJSONField(forms.Field):
    """A JSON object typed by staff, under the same limits as one that is sent.

    Not Django's JSONField, which parses without limits to show a wrong text again.
    """

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return json.dumps(value or {}, indent=2, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        raw = str(value or "{}").encode("utf-8", "replace")
        if len(raw) > Limits().event_bytes:
            raise ValidationError(f"Larger than {Limits().event_bytes} bytes.")
        try:
            parsed = parse_json(raw)
        except BodyRefused as refused:
            fault = refused.fault
            where = f"{fault.path}: " if fault.path else ""
            raise ValidationError(f"{where}{fault.message}") from refused
        if not isinstance(parsed, dict):
            raise ValidationError("Must be an object: {…}.")
        return parsed


def cut_cell(text: str) -> str:
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"
