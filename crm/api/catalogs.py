"""`/api/catalogs/`: catalogs with their typed fields, and items upserted by code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.actors import name_actor
from crm.api.pagination import CodePagination, KeysetPagination
from crm.bell import ring_on_commit
from crm.catalog.catalogs import save_catalog
from crm.catalog.fields import TYPES, FieldRefused
from crm.catalog.items import Saved, archive_items, save_items
from crm.models import ApiKey, Catalog, CatalogItem

# Rows of one request; larger catalogs come in several.
MAX_ITEMS = 1_000
SHOES = {
    "code": "boot-7",
    "name": "Alpine boot",
    "price": "120.00",
    "was_price": "150.00",
    "currency": "EUR",
    "category": "Boots",
    "stock": 12,
    "url": "https://shop.example/boot-7",
    "image_url": "https://shop.example/boot-7.jpg",
    "attributes": {"sizes": ["41", "42"], "waterproof": True},
}
ITEMS_EXAMPLE = OpenApiExample("Two items", {"items": [SHOES]}, request_only=True)
PRICES_EXAMPLE = OpenApiExample(
    "Prices and stock alone",
    {"items": [{"code": "boot-7", "price": "99.00", "stock": 3}]},
    request_only=True,
)
SAVED_EXAMPLE = OpenApiExample(
    "One row refused",
    {
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "repeated": 0,
        "rejected": [
            {
                "index": 1,
                "path": "price",
                "code": "not_a_number",
                "message": "Expected a number such as 12.50.",
            }
        ],
    },
    response_only=True,
)
CATALOG_EXAMPLE = OpenApiExample(
    "Shoes",
    {
        "slug": "shoes",
        "name": "Shoes",
        "kind": "products",
        "fields": [
            {"name": "sizes", "type": "list", "required": True},
            {"name": "waterproof", "type": "boolean"},
        ],
    },
    request_only=True,
)


class FieldShape(serializers.Serializer):
    name = serializers.CharField(max_length=50)
    type = serializers.ChoiceField(choices=[(kind, kind) for kind in TYPES])
    required = serializers.BooleanField(default=False)  # type: ignore[assignment]


class CatalogOutput(serializers.ModelSerializer):
    fields = FieldShape(many=True, required=False)  # type: ignore[assignment]

    class Meta:
        model = Catalog
        fields = ["slug", "name", "kind", "fields", "created_at", "updated_at"]
        read_only_fields = ["created_at", "updated_at"]


class CatalogChanges(CatalogOutput):
    class Meta(CatalogOutput.Meta):
        read_only_fields = ["slug", "kind", "created_at", "updated_at"]


class ItemOutput(serializers.ModelSerializer):
    class Meta:
        model = CatalogItem
        fields = [
            "code",
            "name",
            "url",
            "image_url",
            "price",
            "was_price",
            "currency",
            "category",
            "stock",
            "published_at",
            "attributes",
            "archived_at",
            "updated_at",
        ]


class ItemsInput(serializers.Serializer):
    """The rows themselves are read by `crm.catalog.rows`, each for itself."""

    items = serializers.ListField(
        child=serializers.JSONField(), max_length=MAX_ITEMS, allow_empty=False
    )


class ItemRejected(serializers.Serializer):
    index = serializers.IntegerField()
    path = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ItemsSaved(serializers.Serializer):
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    repeated = serializers.IntegerField(
        help_text="Rows that a later one of the same code replaced."
    )
    rejected = ItemRejected(many=True)


def describe_saved(saved: Saved) -> dict[str, Any]:
    return {
        "new": saved.new,
        "changed": saved.changed,
        "unchanged": saved.unchanged,
        "repeated": saved.repeated,
        "rejected": [
            {
                "index": index,
                "path": fault.path,
                "code": fault.code,
                "message": fault.message,
            }
            for index, fault in sorted(saved.refused.items())
        ],
    }


class SlugPagination(KeysetPagination):
    ordering = "slug"


class CatalogViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet
):
    """Catalogs, in the order of their slugs."""

    queryset = Catalog.objects.all()
    serializer_class = CatalogOutput
    pagination_class = SlugPagination
    lookup_field = "slug"
    lookup_value_regex = "[-a-zA-Z0-9_]+"

    @extend_schema(examples=[CATALOG_EXAMPLE], responses={201: CatalogOutput})
    def create(self, request: Request) -> Response:
        """Make a catalog. Without fields its items take any attribute."""
        said = CatalogOutput(data=request.data)
        said.is_valid(raise_exception=True)
        return self._save(Catalog(**said.validated_data), status=201)

    @extend_schema(request=CatalogChanges, responses=CatalogOutput)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change its name or its fields; items that are there stay as they are."""
        catalog = self.get_object()
        said = CatalogChanges(catalog, data=request.data, partial=True)
        said.is_valid(raise_exception=True)
        for name, value in said.validated_data.items():
            setattr(catalog, name, value)
        return self._save(catalog, status=200)

    def _save(self, catalog: Catalog, *, status: int) -> Response:
        try:
            saved = save_catalog(catalog, actor=name_actor(self.request))
        except FieldRefused as refused:
            fault = refused.fault
            raise serializers.ValidationError(
                {fault.path: [fault.message]}, fault.code
            ) from refused
        return Response(CatalogOutput(saved).data, status=status)


class CatalogItemsView(generics.GenericAPIView):
    """The items of one catalog, archived ones left out, in the order of codes."""

    queryset = CatalogItem.objects.all()
    serializer_class = ItemOutput
    pagination_class = CodePagination
    scopes: Mapping[str, str] = {
        "PUT": ApiKey.Scope.TRACK,
        "PATCH": ApiKey.Scope.TRACK,
    }

    @extend_schema(responses=ItemOutput(many=True))
    def get(self, request: Request, slug: str) -> Response:
        catalog = get_object_or_404(Catalog, slug=slug)
        page = self.paginate_queryset(catalog.items.live())
        return self.get_paginated_response(ItemOutput(page, many=True).data)

    @extend_schema(
        request=ItemsInput,
        responses=ItemsSaved,
        examples=[ITEMS_EXAMPLE, SAVED_EXAMPLE],
    )
    def put(self, request: Request, slug: str) -> Response:
        """Make and replace items by code; wrong rows are listed, the rest is kept."""
        return self._save(request, slug, partial=False)

    @extend_schema(
        request=ItemsInput,
        responses=ItemsSaved,
        examples=[PRICES_EXAMPLE, SAVED_EXAMPLE],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Change what each row names; an item that is new needs a whole row."""
        return self._save(request, slug, partial=True)

    def _save(self, request: Request, slug: str, *, partial: bool) -> Response:
        catalog = get_object_or_404(Catalog, slug=slug)
        said = ItemsInput(data=request.data)
        said.is_valid(raise_exception=True)
        saved = save_items(
            catalog,
            said.validated_data["items"],
            source="api",
            at=timezone.now(),
            partial=partial,
        )
        if saved.is_news:
            ring_on_commit(settings.CATALOG_BELL_TASK)
        return Response(describe_saved(saved))


class CatalogItemView(generics.GenericAPIView):
    """One item, archived or not."""

    queryset = CatalogItem.objects.all()
    serializer_class = ItemOutput
    scopes: Mapping[str, str] = {"DELETE": ApiKey.Scope.TRACK}

    @extend_schema(responses=ItemOutput)
    def get(self, request: Request, slug: str, code: str) -> Response:
        item = get_object_or_404(CatalogItem, catalog=slug, code=code)
        return Response(ItemOutput(item).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str, code: str) -> Response:
        """Archive it: no message names it any more. A later save brings it back."""
        item = get_object_or_404(CatalogItem, catalog=slug, code=code)
        archive_items(item.catalog, [code], source="api", at=timezone.now())
        return Response(status=204)
