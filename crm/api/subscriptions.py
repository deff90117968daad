"""`/api/subscriptions/`: who subscribes to what, and how it came to that."""

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

from crm.models import Subscription, SubscriptionEntry
from crm.purchases.history import describe_history

FIND_BY = [
    OpenApiParameter("contact", str, description="its external id"),
    OpenApiParameter("status", str, enum=Subscription.Status.values),
]


class SubscriptionOutput(serializers.ModelSerializer):
    contact = serializers.UUIDField(source="contact.uuid")

    class Meta:
        model = Subscription
        fields = [
            "id",
            "contact",
            "number",
            "status",
            "plan",
            "amount",
            "currency",
            "interval",
            "started_at",
            "trial_ends_at",
            "renews_at",
            "cancelled_at",
            "last_at",
        ]


class SubscriptionChangeOutput(serializers.Serializer):
    """One column that an event changed, or time alone (`by_time`)."""

    at = serializers.DateTimeField()
    kind = serializers.CharField()
    by_time = serializers.BooleanField()
    column = serializers.CharField()
    was = serializers.CharField(allow_blank=True)
    now = serializers.CharField(allow_blank=True)


class SubscriptionDetail(SubscriptionOutput):
    history = serializers.SerializerMethodField()

    class Meta(SubscriptionOutput.Meta):
        fields = [*SubscriptionOutput.Meta.fields, "history"]

    @extend_schema_field(SubscriptionChangeOutput(many=True))
    def get_history(self, row: Subscription) -> Any:
        said = SubscriptionEntry.objects.of_pairs([(row.contact_id, row.number)])
        return SubscriptionChangeOutput(describe_history(list(said)), many=True).data


class SubscriptionViewSet(viewsets.GenericViewSet):
    """Subscriptions, newest first."""

    serializer_class = SubscriptionOutput
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> Any:
        params = self.request.query_params
        rows = Subscription.objects.of_external_id(params.get("contact", ""))
        return rows.in_status(params.get("status", ""))

    @extend_schema(parameters=FIND_BY, responses=SubscriptionOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(SubscriptionOutput(page, many=True).data)

    @extend_schema(responses=SubscriptionDetail)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One subscription, with its newest changes from what to what."""
        return Response(SubscriptionDetail(self.get_object()).data)
