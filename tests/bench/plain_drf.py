"""The yardstick of `ingest_x_drf`: a plain Django REST framework view.

It takes the same requests and leaves the same rows (message keys, contacts with their
identifiers, events, pending rows) as a good Django programmer would write it first: a
serializer, look-ups in bulk, `bulk_create`. No middleware, no key, no merges, and a
batch with one bad event is refused whole.
"""

from __future__ import annotations

# ruff: noqa: E402 (models can be imported only after the set-up)
import os
from datetime import datetime
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

import django

django.setup()

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction
from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.events.amounts import read_currency, read_value
from crm.models import Contact, Event, Identifier, MessageKey, PendingEvent


class EventSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(["track"])
    messageId = serializers.CharField(max_length=100)
    userId = serializers.CharField(max_length=255)
    event = serializers.CharField(max_length=200)
    timestamp = serializers.DateTimeField()
    properties = serializers.DictField()
    context = serializers.DictField()


class BatchSerializer(serializers.Serializer[Any]):
    batch = EventSerializer(many=True)


class PlainBatch(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        wire = BatchSerializer(data=request.data)
        wire.is_valid(raise_exception=True)
        return Response({"accepted": save_events(wire.validated_data["batch"])})


@transaction.atomic
def save_events(said: list[dict[str, Any]]) -> int:
    now = timezone.now()
    ids = {event["messageId"] for event in said}
    known = MessageKey.objects.filter(message_id__in=ids)
    fresh = ids.difference(known.values_list("message_id", flat=True))
    said = [event for event in said if event["messageId"] in fresh]
    MessageKey.objects.bulk_create(
        [MessageKey(message_id=key, seen_at=now) for key in sorted(fresh)]
    )
    contacts = find_contacts({event["userId"] for event in said}, now)
    events = Event.objects.bulk_create(
        [build_event(event, contacts[event["userId"]], now) for event in said]
    )
    PendingEvent.objects.bulk_create([build_pending(event, now) for event in events])
    return len(said)


def find_contacts(ids: set[str], now: datetime) -> dict[str, Contact]:
    missing = ids.difference(
        Contact.objects.filter(external_id__in=ids).values_list(
            "external_id", flat=True
        )
    )
    if missing:
        Contact.objects.bulk_create(
            [Contact(external_id=key, known_since=now) for key in sorted(missing)],
            ignore_conflicts=True,
        )
    found = {str(c.external_id): c for c in Contact.objects.filter(external_id__in=ids)}
    Identifier.objects.bulk_create(
        [
            Identifier(kind="external_id", value=key, contact=found[key])
            for key in sorted(missing)
        ],
        ignore_conflicts=True,
    )
    return found


def build_event(said: dict[str, Any], contact: Contact, now: datetime) -> Event:
    return Event(
        contact=contact,
        name=said["event"],
        occurred_at=said["timestamp"],
        received_at=now,
        message_id=said["messageId"],
        properties=said["properties"],
        context=said["context"],
        value=read_value(said["properties"]),
        currency=read_currency(said["properties"].get("currency")),
        source="plain",
    )


def build_pending(event: Event, now: datetime) -> PendingEvent:
    return PendingEvent(
        event_id=event.pk,
        occurred_at=event.occurred_at,
        contact=event.contact,
        name=event.name,
        created_at=now,
    )


urlpatterns = [path("v1/batch", PlainBatch.as_view())]
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = []
application = WSGIHandler()
