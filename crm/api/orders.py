"""`/api/orders/`: what was bought, and what is left of it after refunds."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from crm.models import Order, OrderEntry
from crm.purchases.history import SHOWN

FIND_BY = [
    OpenApiParameter("contact", str, description="its external id"),
    OpenApiParameter("state", str, enum=Order.State.values),
]


class OrderOutput(serializers.ModelSerializer):
    contact = serializers.UUIDField(source="contact.uuid")

    class Meta:
        model = Order
        fields = [
            "id",
            "contact",
            "number",
            "state",
            "placed_at",
            "gross",
            "refunded",
            "net",
            "currency",
            "excess",
            "is_mixed",
            "last_at",
        ]


class OrderEntryOutput(serializers.ModelSerializer):
    class Meta:
        model = OrderEntry
        fields = ["kind", "at", "amount", "currency", "refund_id", "lines", "event_id"]


class OrderDetail(OrderOutput):
    history = serializers.SerializerMethodField()

    class Meta(OrderOutput.Meta):
        fields = [*OrderOutput.Meta.fields, "history"]

    @extend_schema_field(OrderEntryOutput(many=True))
    def get_history(self, order: Order) -> Any:
        said = OrderEntry.objects.of_pairs([(order.contact_id, order.number)])
        return OrderEntryOutput(said.newest(SHOWN), many=True).data


class OrderViewSet(viewsets.GenericViewSet):
    """Orders, newest first; net = gross - refunded, and nothing where cancelled."""

    serializer_class = OrderOutput
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> Any:
        params = self.request.query_params
        rows = Order.objects.of_external_id(params.get("contact", ""))
        return rows.in_state(params.get("state", ""))

    @extend_schema(parameters=FIND_BY, responses=OrderOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(OrderOutput(page, many=True).data)

    @extend_schema(responses=OrderDetail)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One order, with the newest of what was said of it, each refund by itself."""
        return Response(OrderDetail(self.get_object()).data)
