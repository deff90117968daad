"""`/api/devices/`: where a push can go; registration by an app's own server."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.contacts import DeviceOutput
from crm.events.devices import MAX_TOKEN
from crm.events.traits import clean_time_zone
from crm.models import Device
from crm.profiles import find_contact, save_device


class DeviceInput(serializers.Serializer):
    contact = serializers.CharField(max_length=255, help_text="the external id")
    token = serializers.RegexField(
        r"^\S+$", max_length=MAX_TOKEN, help_text="the FCM registration token"
    )
    platform = serializers.ChoiceField(Device.Platform.choices)
    permission = serializers.ChoiceField(Device.Permission.choices, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    locale = serializers.RegexField(
        r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, required=False
    )
    app_version = serializers.CharField(max_length=64, required=False)
    name = serializers.CharField(max_length=200, required=False)

    def validate_time_zone(self, value: str) -> str:
        zone = clean_time_zone(value)
        if zone is None:
            raise serializers.ValidationError("Not an IANA time zone.")
        return zone


class DeviceViewSet(viewsets.GenericViewSet):
    """Devices of all contacts, newest first; the token itself is never shown."""

    serializer_class = DeviceOutput
    scopes = {"POST": "track"}

    def get_queryset(self) -> Any:
        contact = self.request.query_params.get("contact", "")
        return Device.objects.of_external_id(contact)

    @extend_schema(
        parameters=[OpenApiParameter("contact", str, description="its external id")],
        responses=DeviceOutput(many=True),
    )
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(DeviceOutput(page, many=True).data)

    @extend_schema(request=DeviceInput, responses={201: DeviceOutput})
    def create(self, request: Request) -> Response:
        """Register a token to a contact; it leaves whoever had it before."""
        said = DeviceInput(data=request.data)
        said.is_valid(raise_exception=True)
        known = dict(said.validated_data)
        contact = find_contact(known.pop("contact"))
        if contact is None:
            raise serializers.ValidationError({"contact": ["No such contact."]})
        device = save_device(contact, at=timezone.now(), **known)
        return Response(DeviceOutput(device).data, status=201)
