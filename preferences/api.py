"""REST: a contact's preferences, and the link to their page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.errors import build_error
from crm.models import ApiKey, Contact
from preferences.consent import record_choices
from preferences.grid import read_grid
from preferences.models import PreferenceCenter
from preferences.shapes import ShapeError, read_json_choices, render_json_choices
from preferences.tokens import build_preference_url

TopicWords = inline_serializer(
    "TopicPreference",
    {
        "id": serializers.CharField(read_only=True),
        "name": serializers.CharField(read_only=True),
        "subscribed": serializers.BooleanField(),
        "channels": serializers.DictField(child=serializers.BooleanField()),
    },
)
Preferences = inline_serializer(
    "Preferences",
    {
        "unsubscribed": serializers.BooleanField(required=False),
        "channels": serializers.DictField(
            child=serializers.BooleanField(), required=False
        ),
        "topics": serializers.DictField(child=TopicWords, required=False),
    },
)
PreferenceUrl = inline_serializer("PreferenceUrl", {"url": serializers.URLField()})


def find_contact(uuid: UUID) -> Contact:
    return get_object_or_404(Contact.objects.canonical(), uuid=uuid)


def find_center(request: Request) -> PreferenceCenter:
    """The one that `?center=` names by number, else the default."""
    wanted = request.query_params.get("center", "")
    if not wanted:
        center = PreferenceCenter.objects.default()
    elif wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        center = PreferenceCenter.objects.filter(pk=wanted).first()
    else:
        center = None
    if center is None:
        raise Http404("No such preference center.")
    return center


def name_caller(request: Request) -> str:
    if isinstance(request.auth, ApiKey):
        return f"api:{request.auth.prefix}"
    return f"staff:{request.user.pk}"


class PreferencesView(APIView):
    """What a contact allows; PUT changes what it names and leaves the rest."""

    scopes = {"PUT": "track"}

    @extend_schema(responses=Preferences)
    def get(self, request: Request, uuid: UUID) -> Response:
        return self.answer(find_contact(uuid), find_center(request))

    @extend_schema(request=Preferences, responses=Preferences)
    def put(self, request: Request, uuid: UUID) -> Response:
        contact, center = find_contact(uuid), find_center(request)
        try:
            changes = read_json_choices(request.data, list(center.topics.all()))
        except ShapeError as error:
            body = build_error("invalid", error.message, path=error.path)
            return Response(body, status=400)
        result = record_choices(
            contact,
            center=center,
            changes=changes,
            at=timezone.now(),
            actor=name_caller(request),
            source="api",
        )
        if result.is_gone:
            raise Http404
        return self.answer(contact, center)

    def answer(self, contact: Contact, center: PreferenceCenter) -> Response:
        facts: dict[str, Any] = {
            "contact": str(contact.uuid),
            "center": center.pk,
            "wording_version": center.wording_version,
        }
        return Response(facts | render_json_choices(read_grid(contact, center)))


class PreferenceLinkView(APIView):
    """A signed link to the contact's own page; treat it like a password."""

    scopes = {"GET": "send"}

    @extend_schema(responses=PreferenceUrl)
    def get(self, request: Request, uuid: UUID) -> Response:
        contact, center = find_contact(uuid), find_center(request)
        response = Response({"url": build_preference_url(contact, center=center)})
        response["Cache-Control"] = "no-store"
        return response
