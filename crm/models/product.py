"""What we sell: one row per code, looked up by templates and rules."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ProductQuerySet(models.QuerySet["Product"]):
    def in_stock(self) -> Self:
        """Sellable now; a stock of null means it is not counted."""
        return self.filter(Q(stock=None) | Q(stock__gt=0))

    def coded(self, codes: list[str]) -> Self:
        return self.filter(code__in=codes)


class Product(models.Model):
    """An item of the catalog. Prices are in `currency`, major units."""

    code = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=300)
    url = models.CharField(max_length=2000, blank=True)
    image_url = models.CharField(max_length=2000, blank=True)
    price = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    was_price = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, blank=True
    )
    currency = models.CharField(max_length=3, blank=True)
    category = models.CharField(max_length=200, blank=True)
    stock = models.IntegerField(null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField(default=timezone.now)
    # Null: staff, an import or the API wrote it, and events never change it. Else the
    # newest event that told of a product which only events know.
    learned_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0),
                name="product_price_not_below_0",
            ),
        ]

    def __str__(self) -> str:
        return self.name
