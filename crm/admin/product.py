"""The catalog."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from crm.admin.base import StrictJSONField
from crm.catalog.products import save_product
from crm.models import Product


class ProductForm(forms.ModelForm):
    attributes = StrictJSONField(
        required=False, help_text="Anything else that messages may name."
    )

    class Meta:
        model = Product
        fields = (
            "code",
            "name",
            "category",
            "price",
            "was_price",
            "currency",
            "stock",
            "url",
            "image_url",
            "attributes",
        )


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    form = ProductForm
    list_display = ("code", "name", "category", "price", "stock", "updated_at")
    list_per_page = 50
    search_fields = ("code__istartswith", "name__icontains")
    search_help_text = "Beginning of a code, or part of a name"
    empty_hint = "Messages can name products. Add one, or send all to /api/products/."

    def save_model(
        self, request: HttpRequest, obj: Product, form: Any, change: bool
    ) -> None:
        save_product(obj, actor=request.user)
