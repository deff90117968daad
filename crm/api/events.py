"""`/api/events/`: what happened, newest first; read-only, events come by ingest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.contacts import EventOutput, find_anybody
from crm.api.pagination import EventPagination
from crm.models import Event
from crm.models.event import EventQuerySet

# Where nobody says since when.
DEFAULT_SPAN = timedelta(days=30)


class EventRow(EventOutput):
    contact = serializers.UUIDField(source="contact.uuid")
    external_id = serializers.CharField(source="contact.external_id", allow_null=True)

    class Meta(EventOutput.Meta):
        fields = [*EventOutput.Meta.fields, "contact", "external_id"]


class EventQuery(serializers.Serializer):
    """What a list of events may be narrowed by."""

    contact = serializers.CharField(
        max_length=255, required=False, help_text="uuid or external id"
    )
    name = serializers.CharField(max_length=200, required=False, help_text="exact")
    since = serializers.DateTimeField(
        required=False, help_text="this moment or later; 30 days before `until`"
    )
    until = serializers.DateTimeField(required=False, help_text="before this moment")

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        since, until = said.get("since"), said.get("until")
        if since and until and since >= until:
            raise serializers.ValidationError({"since": ["Not before `until`."]})
        return said


class EventMoment(serializers.Serializer):
    occurred_at = serializers.DateTimeField(
        help_text="when the event occurred, as the list says: with the id its key"
    )


class EventViewSet(viewsets.GenericViewSet):
    """Events of everybody. The table is parted by month: a time is part of the key."""

    queryset = Event.objects.none()
    serializer_class = EventRow
    pagination_class = EventPagination
    lookup_value_regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

    @extend_schema(
        parameters=[EventQuery, OpenApiParameter("page_size", int)],
        responses=EventRow(many=True),
    )
    def list(self, request: Request) -> Response:
        asked = EventQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = find_events(now=timezone.now(), **asked.validated_data)
        page = self.paginate_queryset(found.select_related("contact"))
        return self.get_paginated_response(EventRow(page, many=True).data)

    @extend_schema(parameters=[EventMoment], responses=EventRow)
    def retrieve(self, request: Request, pk: Any) -> Response:
        asked = EventMoment(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = Event.objects.filter(pk=pk, **asked.validated_data)
        event = found.select_related("contact").first()
        if event is None:
            raise Http404
        return Response(EventRow(event).data)


def find_events(
    *,
    now: datetime,
    contact: str = "",
    name: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> EventQuerySet:
    """Newest first; nothing where nobody is known as `contact`."""
    found = Event.objects.in_span(since or (until or now) - DEFAULT_SPAN, until)
    if name:
        found = found.filter(name=name)
    if contact:
        person = find_anybody(contact)
        found = found.filter(contact=person) if person else found.none()
    return found
