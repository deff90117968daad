"""Brands: the names that end users know."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from crm.brands import save_brand
from crm.models import Brand

SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,49}")


class SchemesField(forms.CharField):
    """Words to a list, as in “myapp, myapp-beta”; `myapp://` is myapp."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        words = re.split(r"[\s,;]+", str(value or "").lower())
        found = [word.removesuffix("://").rstrip(":") for word in words if word]
        for word in found:
            if not SCHEME.fullmatch(word):
                shown = word[:50].replace("\x00", "�")
                raise ValidationError(
                    f"“{shown}” is no scheme: write what stands before ://, as myapp.",
                    code="form",
                )
        return list(dict.fromkeys(found))


class BrandForm(forms.ModelForm):
    app_schemes = SchemesField(
        label="App schemes",
        required=False,
        help_text="What stands before :// in links into your apps, as in myapp.",
    )

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
