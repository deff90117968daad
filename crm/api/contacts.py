"""`/api/contacts/`: read, find, make and change contacts; their events."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.actors import name_actor
from crm.api.errors import Erased
from crm.api.pagination import EventPagination
from crm.bell import ring_bell
from crm.models import Contact, Device, Event
from crm.privacy import erase_contact
from crm.profiles import PersonErased, edit_contact, find_anybody, save_profile


class DeviceOutput(serializers.ModelSerializer):
    class Meta:
        model = Device
        fields = [
            "id",
            "platform",
            "permission",
            "state",
            "time_zone",
            "locale",
            "app_version",
            "name",
            "registered_at",
            "last_seen_at",
        ]


class ContactOutput(serializers.ModelSerializer):
    class Meta:
        model = Contact
        fields = [
            "uuid",
            "external_id",
            "email",
            "phone",
            "traits",
            "computed",
            "locale",
            "time_zone",
            "known_since",
            "last_active_at",
            "created_at",
            "updated_at",
        ]


class ContactDetail(ContactOutput):
    devices = DeviceOutput(many=True)

    class Meta(ContactOutput.Meta):
        fields = [*ContactOutput.Meta.fields, "devices"]


class EventOutput(serializers.ModelSerializer):
    class Meta:
        model = Event
        fields = [
            "id",
            "name",
            "occurred_at",
            "received_at",
            "message_id",
            "properties",
            "value",
            "currency",
            "source",
        ]


class TraitsInput(serializers.Serializer):
    """A trait of null is removed; e-mail, phone, locale, time zone are traits too."""

    traits = serializers.DictField(child=serializers.JSONField(allow_null=True))


class ContactInput(TraitsInput):
    external_id = serializers.CharField(max_length=255)


class ErasedOutput(serializers.Serializer):
    """How many rows of each kind are gone."""

    uuid = serializers.UUIDField()
    erased = serializers.DictField(child=serializers.IntegerField())


# Of a reason, as the trail keeps it.
MAX_REASON = 200
FIND_BY = [
    OpenApiParameter("email", str, description="exact, without case"),
    OpenApiParameter("external_id", str, description="exact"),
]


class ContactViewSet(viewsets.GenericViewSet):
    """People, newest first. A path id is the uuid or the external id."""

    serializer_class = ContactOutput
    lookup_value_regex = "[^/]+"
    scopes = {"POST": "track", "PATCH": "track", "DELETE": "admin"}
    verbs = {"DELETE": "delete"}

    def get_queryset(self) -> Any:
        params = self.request.query_params
        return Contact.objects.canonical().found_by(
            email=params.get("email", ""), external_id=params.get("external_id", "")
        )

    def get_object(self) -> Contact:
        contact = find_anybody(self.kwargs["pk"])
        if contact is None or contact.erased_at:
            raise Http404
        return contact

    @extend_schema(parameters=FIND_BY, responses=ContactOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ContactOutput(page, many=True).data)

    @extend_schema(responses=ContactDetail)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(ContactDetail(self.get_object()).data)

    @extend_schema(request=ContactInput, responses={201: ContactDetail})
    def create(self, request: Request) -> Response:
        """Make a contact, or tell a known one new traits."""
        said = ContactInput(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            contact = save_profile(
                **said.validated_data, actor=name_actor(request), at=timezone.now()
            )
        except PersonErased as refused:
            raise Erased(str(refused)) from refused
        ring_bell()
        return Response(ContactDetail(contact).data, status=201)

    @extend_schema(request=TraitsInput, responses=ContactDetail)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Tell new traits; what is not named stays."""
        said = TraitsInput(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            contact = edit_contact(
                self.get_object(),
                traits=said.validated_data["traits"],
                actor=name_actor(request),
                at=timezone.now(),
            )
        except PersonErased as refused:
            raise Erased(str(refused)) from refused
        except Contact.DoesNotExist as gone:
            raise Http404 from gone
        ring_bell()
        return Response(ContactDetail(contact).data)

    @extend_schema(
        request=None,
        # By itself the document would say 204, as of any DELETE.
        responses={200: ErasedOutput},
        parameters=[OpenApiParameter("reason")],
    )
    def destroy(self, request: Request, pk: str) -> Response:
        """Erase for good: a late call or a file makes nobody of their ids again."""
        contact, reason = self.get_object(), request.query_params.get("reason", "")
        counts = erase_contact(
            contact, actor=name_actor(request), reason=reason[:MAX_REASON]
        )
        return Response({"uuid": contact.uuid, "erased": counts})

    @extend_schema(responses=EventOutput(many=True))
    @action(detail=True, pagination_class=EventPagination)
    def events(self, request: Request, pk: str) -> Response:
        """What this contact did, newest first."""
        page = self.paginate_queryset(Event.objects.for_contact(self.get_object()))
        return self.get_paginated_response(EventOutput(page, many=True).data)
