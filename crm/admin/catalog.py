"""Catalogs: their typed fields, a line each, and the secret of their webhook."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.catalog.catalogs import close_webhook, open_webhook, save_catalog
from crm.catalog.fields import TYPES, FieldRefused, read_fields
from crm.catalog.rows import TAKEN
from crm.models import Catalog


class FieldLines(forms.CharField):
    """Definitions of fields, one a line: `name type`, and `required` where it is."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        words = (
            (one["name"], one["type"], "required" if one.get("required") else "")
            for one in value or ()
        )
        return "\n".join(" ".join(filter(None, line)) for line in words)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        text = super().clean(value)
        found = [self._read_line(line) for line in text.splitlines() if line.strip()]
        try:
            read_fields(found, taken=frozenset(TAKEN))
        except FieldRefused as refused:
            fault = refused.fault
            raise ValidationError(f"{fault.path}: {fault.message}") from refused
        return found

    def _read_line(self, line: str) -> dict[str, Any]:
        name, *rest = line.split()
        if not rest or rest[1:] not in ([], ["required"]):
            message = f"“{line[:60]}”: a name, a type, and maybe “required”."
            raise ValidationError(message)
        return {"name": name, "type": rest[0], "required": len(rest) > 1}

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.prepare_value(initial) != (data or "")


class CatalogForm(forms.ModelForm):
    fields_typed = FieldLines(
        label="Fields",
        required=False,
        help_text="Beside name, picture, link, price, stock and category: one a line, "
        f"as in “sizes list required”. Types: {', '.join(TYPES)}. Empty: items take "
        "any attribute.",
    )

    class Meta:
        model = Catalog
        fields = ("name", "slug", "kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["fields_typed"].initial = self.instance.fields


@admin.register(Catalog)
class CatalogAdmin(ModelAdmin):
    form = CatalogForm
    change_form_template = "admin/crm/catalog/change_form.html"
    list_display = ("name", "slug", "kind", "shown_items", "shown_webhook")
    list_per_page = 50
    actions = None
    fields = ("name", "slug", "kind", "fields_typed")
    prepopulated_fields = {"slug": ("name",)}
    empty_hint = "Products, articles or playlists that messages may name."

    @admin.display(description="Items")
    def shown_items(self, catalog: Catalog) -> SafeString:
        url = reverse("admin:crm_catalogitem_changelist")
        return format_html(
            '<a class="apr-link" href="{}?catalog__slug__exact={}">{}</a>',
            url,
            catalog.slug,
            f"{catalog.items_now:,}",  # type: ignore[attr-defined]
        )

    @admin.display(description="Webhook")
    def shown_webhook(self, catalog: Catalog) -> str:
        return "open" if catalog.webhook_secret else "closed"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Catalog]:
        return Catalog.objects.with_counts()

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Templates, addresses and rows name it.
        return ("slug", "kind") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Catalog, form: Any, change: bool
    ) -> None:
        obj.fields = form.cleaned_data["fields_typed"]
        save_catalog(obj, actor=request.user)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<slug:pk>/webhook/open/",
                view(require_POST(self.open_view)),
                name="crm_catalog_open_webhook",
            ),
            path(
                "<slug:pk>/webhook/close/",
                view(require_POST(self.close_view)),
                name="crm_catalog_close_webhook",
            ),
            *super().get_urls(),
        ]

    def open_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Shown on this answer only: no redirect, no message that would be stored."""
        catalog = self._find(request, pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Copy the secret now",
            "catalog": catalog,
            "secret": open_webhook(catalog, actor=request.user),
            "address": build_webhook_address(request, catalog),
        }
        return TemplateResponse(request, "admin/crm/catalog/secret.html", context)

    def close_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        close_webhook(self._find(request, pk), actor=request.user)
        messages.success(request, "1 webhook closed; its secret is void.")
        return redirect("admin:crm_catalog_change", pk)

    def _find(self, request: HttpRequest, pk: str) -> Catalog:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Catalog, pk=pk)


def build_webhook_address(request: HttpRequest, catalog: Catalog) -> str:
    return request.build_absolute_uri(f"/v1/catalogs/{catalog.slug}/webhook")
