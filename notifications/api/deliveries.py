"""`/api/deliveries/`: each message with its state, its reason and its story."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from crm.models import Contact
from notifications.models import (
    Attempt,
    Conversion,
    Delivery,
    Engagement,
    RenderedMessage,
)
from notifications.reasons import SENTENCES


class DeliveryFilter(filters.FilterSet):
    campaign = filters.NumberFilter(
        field_name="campaign_id", min_value=1, max_value=2**63 - 1
    )
    contact = filters.UUIDFilter(method="filter_contact", label="uuid of the contact")
    state = filters.ChoiceFilter(choices=Delivery.State.choices)

    class Meta:
        model = Delivery
        fields: list[str] = []

    def filter_contact(
        self, rows: QuerySet[Delivery], name: str, value: uuid.UUID
    ) -> QuerySet[Delivery]:
        """Also by the uuid of a contact that was merged into this one."""
        found = Contact.objects.filter(Q(uuid=value) | Q(merged__uuid=value))
        return rows.filter(contact__in=found)


class DeliveryOutput(serializers.ModelSerializer):
    contact = serializers.UUIDField(source="contact.uuid")
    campaign = serializers.IntegerField(source="campaign_id", allow_null=True)
    version = serializers.IntegerField(
        source="campaign_version.number", default=None, allow_null=True
    )
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = [
            "id",
            "contact",
            "campaign",
            "version",
            "source_kind",
            "occurrence",
            "channel",
            "locale",
            "state",
            "reason",
            "sentence",
            "detail",
            "created_at",
            "due_at",
            "expires_at",
            "sent_at",
            "delivered_at",
            "opened_at",
            "clicked_at",
            "dismissed_at",
            "converted_at",
        ]

    def get_sentence(self, row: Delivery) -> str:
        """The reason in plain English."""
        return SENTENCES.get(row.reason, "")  # type: ignore[call-overload]


class AttemptOutput(serializers.ModelSerializer):
    class Meta:
        model = Attempt
        fields = [
            "number",
            "state",
            "platform",
            "device_id",
            "gated_at",
            "finished_at",
            "http_status",
            "code",
            "detail",
            "provider_id",
        ]


class EngagementOutput(serializers.ModelSerializer):
    class Meta:
        model = Engagement
        fields = ["kind", "at", "received_at", "client_id", "button"]


class ConversionOutput(serializers.ModelSerializer):
    class Meta:
        model = Conversion
        fields = ["event_id", "event_at", "value", "currency"]


class DeliveryDetail(DeliveryOutput):
    attempts = AttemptOutput(many=True)
    engagements = EngagementOutput(many=True)
    conversions = ConversionOutput(many=True)
    text = serializers.SerializerMethodField()

    class Meta(DeliveryOutput.Meta):
        fields = [
            *DeliveryOutput.Meta.fields,
            "text",
            "attempts",
            "engagements",
            "conversions",
        ]

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_text(self, row: Delivery) -> Any:
        """What the person was shown last; null where nothing was, or after 90 days."""
        shown = RenderedMessage.objects.filter(
            delivery_id=row.pk, created_at__gte=row.created_at
        )
        newest = shown.order_by("-created_at").first()
        return newest.fields if newest else None


class DeliveryViewSet(viewsets.GenericViewSet):
    """Messages to people, newest first."""

    queryset = Delivery.objects.select_related("contact", "campaign_version")
    serializer_class = DeliveryOutput
    filterset_class = DeliveryFilter
    lookup_value_regex = "[0-9a-fA-F-]{32,36}"

    @extend_schema(responses=DeliveryOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(DeliveryOutput(page, many=True).data)

    @extend_schema(responses=DeliveryDetail)
    def retrieve(self, request: Request, pk: str) -> Response:
        """With its text, each POST of it, and what came of it."""
        return Response(DeliveryDetail(self.get_object()).data)
