"""`/api/segments/`: read, make, change and preview segments; who is in them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.actors import name_actor
from crm.api.pagination import KeysetPagination
from crm.clock import read_clock
from crm.models import Contact
from crm.ports.facts import RuleError
from segments.diff import load_rule
from segments.editing import SegmentInUse, check_rule, delete_segment, save_segment
from segments.explain import Explained, explain_contact, preview_rule
from segments.models import Membership, Segment
from segments.rules.describe import describe


class SegmentOutput(serializers.ModelSerializer):
    version = serializers.IntegerField(source="current_version.number")
    rule = serializers.JSONField(source="current_version.rule")
    summary = serializers.CharField(source="current_version.summary")

    class Meta:
        model = Segment
        fields = [
            "id",
            "name",
            "slug",
            "description",
            "kind",
            "state",
            "failure",
            "size",
            "sized_at",
            "refreshed_at",
            "version",
            "rule",
            "summary",
            "created_at",
        ]


class SegmentInput(serializers.Serializer):
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(default="", allow_blank=True)
    kind = serializers.ChoiceField(Segment.Kind.choices, default=Segment.Kind.DYNAMIC)
    rule = serializers.JSONField()


class SegmentEdit(serializers.Serializer):
    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    rule = serializers.JSONField(required=False)


class MemberOutput(serializers.ModelSerializer):
    uuid = serializers.UUIDField(source="contact.uuid")
    external_id = serializers.CharField(source="contact.external_id")

    class Meta:
        model = Membership
        fields = ["uuid", "external_id", "entered_at"]


class PreviewInput(serializers.Serializer):
    rule = serializers.JSONField()


class SampleOutput(serializers.ModelSerializer):
    name = serializers.CharField(source="display_name")

    class Meta:
        model = Contact
        fields = ["uuid", "external_id", "name"]


class PreviewOutput(serializers.Serializer):
    """Size is null where the count took longer than five seconds."""

    size = serializers.IntegerField(allow_null=True)
    timed_out = serializers.BooleanField()
    summary = serializers.CharField()
    sample = SampleOutput(many=True)


class NodeOutput(serializers.Serializer):
    """One node's answer; groups hold `children`, each of the same shape."""

    path = serializers.CharField()
    mode = serializers.CharField()
    text = serializers.CharField()
    matches = serializers.BooleanField()
    facts = serializers.CharField()
    children = serializers.ListField(child=serializers.DictField())

    def to_representation(self, instance: Explained) -> dict[str, Any]:
        return {
            "path": instance.path,
            "mode": instance.mode,
            "text": instance.text,
            "matches": instance.matches,
            "facts": instance.facts,
            "children": [self.to_representation(one) for one in instance.children],
        }


class EntryOutput(serializers.ModelSerializer):
    """A segment this contact is in, and since when."""

    id = serializers.IntegerField(source="segment.id")
    name = serializers.CharField(source="segment.name")
    slug = serializers.CharField(source="segment.slug")

    class Meta:
        model = Membership
        fields = ["id", "name", "slug", "entered_at"]


class MemberPagination(KeysetPagination):
    ordering = "-contact_id"


def refuse_rule(error: RuleError) -> ValidationError:
    """A 400 whose path is the node's."""
    return ValidationError({error.path: [ErrorDetail(error.message, error.code)]})


def find_api_contact(said: str) -> Contact:
    """By uuid; a merged contact answers as its canonical one."""
    try:
        wanted = uuid.UUID(said)
    except ValueError as error:
        raise Http404 from error
    contact = Contact.objects.select_related("canonical").filter(uuid=wanted).first()
    contact = (contact.canonical or contact) if contact else None
    if contact is None or contact.erased_at:
        raise Http404
    return contact


class SegmentViewSet(viewsets.GenericViewSet):
    """Segments, newest first; a path id is the number."""

    serializer_class = SegmentOutput
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Segment.objects.select_related("current_version")

    @extend_schema(responses=SegmentOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(SegmentOutput(page, many=True).data)

    @extend_schema(responses=SegmentOutput)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(SegmentOutput(self.get_object()).data)

    @extend_schema(request=SegmentInput, responses={201: SegmentOutput})
    def create(self, request: Request) -> Response:
        """The segment is `building` until its first build has ended."""
        said = SegmentInput(data=request.data)
        said.is_valid(raise_exception=True)
        segment = self._save(request, **said.validated_data)
        return Response(SegmentOutput(segment).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=SegmentEdit, responses=SegmentOutput)
    def partial_update(self, request: Request, pk: str) -> Response:
        """What is not named stays; a changed rule becomes a new version."""
        said = SegmentEdit(data=request.data)
        said.is_valid(raise_exception=True)
        segment = self.get_object()
        now = {
            "name": segment.name,
            "description": segment.description,
            "rule": segment.current_version.rule,
        }
        segment = self._save(request, segment=segment, **{**now, **said.validated_data})
        return Response(SegmentOutput(segment).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Refused with 409 while another segment names this one."""
        try:
            delete_segment(self.get_object(), actor=name_actor(request))
        except SegmentInUse as error:
            conflict = ValidationError({"": [ErrorDetail(str(error), "in_use")]})
            conflict.status_code = status.HTTP_409_CONFLICT
            raise conflict from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, request: Request, **said: Any) -> Segment:
        try:
            return save_segment(actor=name_actor(request), **said)
        except RuleError as error:
            raise refuse_rule(error) from error

    @extend_schema(responses=MemberOutput(many=True))
    @action(detail=True, pagination_class=MemberPagination)
    def members(self, request: Request, pk: str) -> Response:
        """Who is in it now, newest contacts first."""
        page = self.paginate_queryset(list_member_rows(self.get_object()))
        return self.get_paginated_response(MemberOutput(page, many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("contact", uuid.UUID, required=True)],
        responses=NodeOutput,
    )
    @action(detail=True)
    def explain(self, request: Request, pk: str) -> Response:
        """Why this contact is in, or is not."""
        segment = self.get_object()
        contact = find_api_contact(request.query_params.get("contact", ""))
        rule = load_rule(segment.current_version)
        answer = explain_contact(rule, contact.pk, at=read_clock())
        return Response(NodeOutput(answer).data)


def list_member_rows(segment: Segment) -> QuerySet[Membership]:
    rows = Membership.objects.of_segment(segment).newest_contacts_first()
    return rows.select_related("contact")


class SegmentPreview(APIView):
    """Who a rule would find, before it is saved."""

    scopes = {"POST": "read"}

    @extend_schema(request=PreviewInput, responses=PreviewOutput)
    def post(self, request: Request) -> Response:
        said = PreviewInput(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            rule = check_rule(said.validated_data["rule"])
        except RuleError as error:
            raise refuse_rule(error) from error
        preview = preview_rule(rule, at=read_clock())
        sample = SampleOutput(preview.sample, many=True).data
        return Response(
            {
                "size": preview.size,
                "timed_out": preview.timed_out,
                "summary": describe(rule),
                "sample": sample,
            }
        )


class ContactSegments(APIView):
    """The segments a contact is in now."""

    @extend_schema(responses=EntryOutput(many=True))
    def get(self, request: Request, contact: str) -> Response:
        rows = Membership.objects.for_contact(find_api_contact(contact).pk)
        return Response(EntryOutput(rows, many=True).data)
