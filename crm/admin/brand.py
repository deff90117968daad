"""Brands: the names that end users know."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from crm.brands import save_brand
from crm.models import Brand


class BrandForm(forms.ModelForm):
    def _get_validation_exclusions(self) -> set[str]:
        """A second default is no fault here: it takes the place of the first."""
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | {"is_default"}


@admin.register(Brand)
class BrandAdmin(ModelAdmin):
    form = BrandForm
    list_display = ("name", "website", "time_zone", "locale", "is_default")
    prepopulated_fields = {"slug": ("name",)}
    empty_hint = "The name that end users know. Senders and centers need one."
    fieldsets = (
        (None, {"fields": ("name", "slug", "website", "is_default")}),
        (
            "Links and fallbacks",
            {
                "fields": ("app_schemes", "time_zone", "locale"),
                "description": "Used where a contact's own zone or language is "
                "unknown; links may only open these apps.",
            },
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Brand, form: Any, change: bool
    ) -> None:
        save_brand(obj, actor=request.user)
