"""Products: the items of the catalog `products`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from crm.models.catalog import PRODUCTS, CatalogItem, CatalogItemQuerySet


class ProductManager(models.Manager.from_queryset(CatalogItemQuerySet)):  # type: ignore[misc]
    def get_queryset(self) -> CatalogItemQuerySet:
        return super().get_queryset().filter(catalog=PRODUCTS)


class Product(CatalogItem):
    """What we sell, in the catalog that every shop begins with."""

    objects: ClassVar[Any] = ProductManager()

    class Meta:
        proxy = True
        # Whoever may change an item may change this one.
        default_permissions = ()
