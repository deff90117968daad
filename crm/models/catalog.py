"""Catalogs: what we sell and publish, one row per code, looked up by templates.

A catalog's slug and an item's code never change: templates and events name them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.secret import EncryptedTextField

# The catalog that is meant where none is named.
PRODUCTS: Final = "products"


class CatalogQuerySet(models.QuerySet["Catalog"]):
    def with_counts(self) -> Self:
        """Adds `items_now`: the items that are not archived."""
        live = models.Count("items", filter=Q(items__archived_at=None))
        return self.annotate(items_now=live)


class Catalog(models.Model):
    """One shelf of items, with the fields that its items have beside the columns."""

    class Kind(models.TextChoices):
        PRODUCTS = "products", "Products"
        ARTICLES = "articles", "Articles"
        PLAYLISTS = "playlists", "Playlists"
        CUSTOM = "custom", "Something else"

    slug = models.SlugField(
        primary_key=True,
        max_length=50,
        help_text="The name in templates, as in catalog.news[…], and in addresses. "
        "It stays as it is.",
    )
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    # [{"name": …, "type": …, "required": …}], as `crm.catalog.fields` reads them.
    # Empty: items take any attribute.
    fields = models.JSONField(default=list, blank=True)
    # What a CMS signs its calls with; empty: the webhook is closed.
    webhook_secret = EncryptedTextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # How often its items were changed, and how often when that was last looked at.
    moves = models.BigIntegerField(default=0, db_default=0, editable=False)
    seen_moves = models.BigIntegerField(default=0, db_default=0, editable=False)
    # When a change was seen last: what asks of items is older than that, or knows.
    moved_at = models.DateTimeField(null=True, editable=False)

    objects = CatalogQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_news(self) -> bool:
        """Whether a new item is news: somebody published it."""
        return self.kind in (self.Kind.ARTICLES, self.Kind.PLAYLISTS)


class CatalogItemQuerySet(models.QuerySet["CatalogItem"]):
    def live(self) -> Self:
        """Not archived: what messages may name."""
        return self.filter(archived_at=None)

    def in_stock(self) -> Self:
        """Sellable now; a stock of null means it is not counted."""
        return self.live().filter(Q(stock=None) | Q(stock__gt=0))

    def coded(self, codes: Iterable[str]) -> Self:
        return self.filter(code__in=list(codes))

    def on_shelves(self, keys: Iterable[tuple[str, str]]) -> Self:
        """The live items of these (catalog, code); one query."""
        found = Q(pk__in=())
        codes: dict[str, list[str]] = {}
        for slug, code in keys:
            codes.setdefault(slug, []).append(code)
        for slug, wanted in codes.items():
            found |= Q(catalog=slug, code__in=wanted)
        return self.live().filter(found)


class CatalogItem(models.Model):
    """An item. Prices are in `currency`, major units."""

    # By slug, so that a row says what it belongs to without a join.
    catalog: models.ForeignKey[Catalog, Catalog] = models.ForeignKey(
        Catalog,
        models.PROTECT,
        related_name="items",
        default=PRODUCTS,
        db_default=PRODUCTS,  # type: ignore[arg-type]
    )
    code = models.CharField(max_length=100)
    name = models.CharField(max_length=300)
    url = models.CharField("link", max_length=2000, blank=True)
    image_url = models.CharField("picture", max_length=2000, blank=True)
    price = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    was_price = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, blank=True
    )
    currency = models.CharField(max_length=3, blank=True)
    category = models.CharField(max_length=200, blank=True)
    stock = models.IntegerField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(
        default=timezone.now, db_default=models.functions.Now(), editable=False
    )
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    # Null: staff, an import or the API wrote it, and events never change it. Else the
    # newest event that told of a product which only events know.
    learned_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Taken off the shelf: kept for history, named by no message.
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CatalogItemQuerySet.as_manager()

    class Meta:
        # The name it was born with, when there was one catalog.
        db_table = "crm_product"
        verbose_name = "item"
        ordering = ["catalog", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["catalog", "code"], name="catalogitem_code_once_a_catalog"
            ),
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0),
                name="product_price_not_below_0",
            ),
        ]
        indexes = [
            # news for readers of a category; items of a category
            models.Index(fields=["catalog", "category"], name="catalogitem_category"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_for_sale(self) -> bool:
        return self.archived_at is None and (self.stock is None or self.stock > 0)


class CatalogChangeQuerySet(models.QuerySet["CatalogChange"]):
    def waiting(self) -> Self:
        """Not yet told to those whom it concerns."""
        return self.filter(outcome=CatalogChange.Outcome.WAITING)

    def older_than(self, at: Any) -> Self:
        return self.filter(at__lt=at).exclude(outcome=CatalogChange.Outcome.WAITING)


class CatalogChange(models.Model):
    """What became of an item's price or stock, written with the change itself.

    The item's history, and the outbox of the events that follow from it: a row that
    waits is told by `crm.catalog.announce`, contact by contact.
    """

    class Kind(models.TextChoices):
        ADDED = "added", "new"
        PRICE = "price", "price"
        STOCK = "stock", "stock"

    class Outcome(models.TextChoices):
        HISTORY = "history", "concerns nobody"
        WAITING = "waiting", "waits to be told"
        TOLD = "told", "told"
        OVER = "over", "was over before it was told"
        LATE = "late", "too old to be told"

    item = models.ForeignKey(CatalogItem, models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    at = models.DateTimeField()
    old_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    new_price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    old_stock = models.IntegerField(null=True)
    new_stock = models.IntegerField(null=True)
    # The road it came by: api, admin, import, feed:<id>, webhook.
    source = models.CharField(max_length=32)
    # The event it becomes: "Price Dropped", "Back In Stock", "New Content", or ''.
    event = models.CharField(max_length=50, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    # The last contact told, in the order of ids; where a worker goes on.
    told_up_to = models.BigIntegerField(default=0)
    told = models.PositiveIntegerField(default=0)

    objects = CatalogChangeQuerySet.as_manager()

    class Meta:
        indexes = [
            # the item's page: its history
            models.Index(fields=["item", "-at"], name="catalogchange_history"),
            # catalog.announce: what waits, oldest first
            models.Index(
                fields=["id"],
                name="catalogchange_waiting",
                condition=Q(outcome="waiting"),
            ),
            # maintenance: what is old enough to go
            models.Index(fields=["at"], name="catalogchange_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"
