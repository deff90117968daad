"""Items of the catalogs, with the history of their price and stock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from crm.admin.base import BigTableAdmin, StrictJSONField
from crm.bell import ring_on_commit
from crm.catalog.fields import FieldRefused
from crm.catalog.items import archive_items, check_item, save_item
from crm.catalog.rows import COLUMNS
from crm.models import Catalog, CatalogItem

HISTORY_LINES = 20


class ItemForm(forms.ModelForm):
    attributes = StrictJSONField(
        required=False,
        help_text="The catalog's own fields, and what else messages may name.",
    )

    class Meta:
        model = CatalogItem
        fields = ("catalog", "code", *COLUMNS, "attributes")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        catalog = cleaned.get("catalog") or self._own_catalog()
        if catalog is None or self.errors:
            return cleaned
        try:
            check_item(catalog, self.build_row(cleaned))
        except FieldRefused as refused:
            name, _, rest = refused.fault.path.partition(".")
            where = f"{rest}: " if rest else ""
            field = name if name in self.fields else None
            self.add_error(field, f"{where}{refused.fault.message}")
        return cleaned

    def build_row(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        names = ("code", *COLUMNS, "attributes")
        row = {name: cleaned[name] for name in names if name in cleaned}
        return {"code": self.instance.code, **row}

    def _own_catalog(self) -> Catalog | None:
        return self.instance.catalog if self.instance.pk else None


@admin.register(CatalogItem)
class CatalogItemAdmin(BigTableAdmin):
    form = ItemForm
    change_form_template = "admin/crm/catalogitem/change_form.html"
    list_display = (
        "shown_picture",
        "name",
        "code",
        "catalog",
        "category",
        "shown_price",
        "shown_stock",
        "updated_at",
    )
    list_display_links = ("name",)
    list_filter = ("catalog",)
    list_select_related = ("catalog",)
    search_fields = ("code__istartswith", "name__icontains")
    search_help_text = "Beginning of a code, or part of a name"
    actions = ("archive",)
    empty_hint = (
        "Messages can name what is in a catalog. Add an item, send all to "
        "/api/catalogs/…/items/, or let a feed bring them."
    )
    fieldsets = (
        (None, {"fields": (("catalog", "code"), ("name", "category"))}),
        ("What it costs", {"fields": (("price", "was_price"), ("currency", "stock"))}),
        ("Where it is", {"fields": ("url", "image_url", "published_at")}),
        ("Its own fields", {"fields": ("attributes",)}),
    )

    @display(description="Picture")
    def shown_picture(self, item: CatalogItem) -> SafeString | str:
        if not item.image_url.startswith("https://"):
            return ""
        return format_html(
            '<img class="apr-thumb" src="{}" alt="" loading="lazy" '
            'referrerpolicy="no-referrer">',
            item.image_url,
        )

    @admin.display(description="Price", ordering="price")
    def shown_price(self, item: CatalogItem) -> str:
        return "–" if item.price is None else f"{item.price} {item.currency}".strip()

    @display(
        description="Stock",
        ordering="stock",
        label={"sold out": "danger", "archived": "warning", "not counted": "info"},
    )
    def shown_stock(self, item: CatalogItem) -> str:
        if item.archived_at:
            return "archived"
        if item.stock is None:
            return "not counted"
        return str(item.stock) if item.stock > 0 else "sold out"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("catalog", "code") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Messages name it by its code: archive it instead.
        return False

    def save_model(
        self, request: HttpRequest, obj: CatalogItem, form: ItemForm, change: bool
    ) -> None:
        saved = save_item(
            obj.catalog,
            form.build_row(form.cleaned_data),
            actor=request.user,
            at=timezone.now(),
        )
        obj.pk = saved.pk
        ring_on_commit(settings.CATALOG_BELL_TASK)

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[CatalogItem]) -> None:
        count = 0
        for catalog in Catalog.objects.filter(items__in=queryset).distinct():
            codes = queryset.filter(catalog=catalog).values_list("code", flat=True)
            count += archive_items(
                catalog, list(codes), source="admin", at=timezone.now()
            )
        self.message_user(request, f"{count} items archived.", messages.SUCCESS)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        history: Any = ()
        if object_id.isdecimal() and len(object_id) < 19:
            item = CatalogItem(pk=int(object_id))
            history = item.changes.order_by("-at", "-pk")[:HISTORY_LINES]
        context = {"history": history, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)
