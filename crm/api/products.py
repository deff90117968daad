"""`/api/products/`: the catalog `products`, read and upserted by code."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.pagination import CodePagination
from crm.api.parsers import BodyFault
from crm.bell import ring_on_commit
from crm.catalog.products import FIELDS, save_products
from crm.events.limits import BodyRefused
from crm.models import CatalogItem, Product

# Rows of one request; larger catalogs come in several.
MAX_PRODUCTS = 1_000


class ProductOutput(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ["code", *FIELDS, "updated_at"]


class ProductInput(serializers.ModelSerializer):
    attributes = serializers.DictField(required=False)

    class Meta:
        model = Product
        fields = ["code", *FIELDS]
        # A known code is an update here, not a clash.
        extra_kwargs = {"code": {"validators": []}, "price": {"min_value": 0}}


class ProductsInput(serializers.Serializer):
    products = serializers.ListField(
        child=ProductInput(), max_length=MAX_PRODUCTS, allow_empty=False
    )


class ProductsSaved(serializers.Serializer):
    saved = serializers.IntegerField()


class ProductViewSet(viewsets.GenericViewSet):
    """The catalog, in the order of codes."""

    queryset = Product.objects.live()
    model = CatalogItem
    serializer_class = ProductOutput
    pagination_class = CodePagination
    lookup_field = "code"
    lookup_value_regex = "[^/]+"
    scopes = {"POST": "track"}

    @extend_schema(responses=ProductOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ProductOutput(page, many=True).data)

    @extend_schema(responses=ProductOutput)
    def retrieve(self, request: Request, code: str) -> Response:
        return Response(ProductOutput(self.get_object()).data)

    @extend_schema(request=ProductsInput, responses={200: ProductsSaved})
    def create(self, request: Request, **_: Any) -> Response:
        """Make and change products by code; a row replaces what was there."""
        said = ProductsInput(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            saved = save_products(
                said.validated_data["products"], source="api", at=timezone.now()
            )
        except BodyRefused as refused:
            raise BodyFault(refused) from refused
        if saved.is_news:
            ring_on_commit(settings.CATALOG_BELL_TASK)
        return Response({"saved": saved.saved})
