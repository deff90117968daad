"""`/api/segments/`: read, make and change segments; who is in them, and why."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.actors import name_actor
from crm.api.pagination import KeysetPagination
from crm.clock import read_clock
from crm.ports.facts import RuleError
from segments.api.history import HistoryActions
from segments.api.shapes import (
    NodeOutput,
    SegmentOutput,
    find_api_contact,
    refuse_rule,
    refuse_use,
)
from segments.diff import load_rule
from segments.editing import (
    ADD,
    ConfirmationNeeded,
    NotFillable,
    SegmentInUse,
    check_fillable,
    delete_segment,
    lock_for_edit,
    save_segment,
)
from segments.explain import explain_contact
from segments.filling import (
    HOW,
    TEXT_MAX,
    Entry,
    Listed,
    fill_segment,
    find_listed,
    measure_fill,
)
from segments.models import Membership, Segment

# People of one call.
PEOPLE_MAX = 10_000


class SegmentInput(serializers.Serializer):
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(default="", allow_blank=True)
    kind = serializers.ChoiceField(Segment.Kind.choices, default=Segment.Kind.DYNAMIC)
    rule = serializers.JSONField()


class SegmentEdit(serializers.Serializer):
    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    rule = serializers.JSONField(required=False)
    confirm = serializers.BooleanField(
        default=False, help_text="change a rule that others build on all the same"
    )


class MemberOutput(serializers.ModelSerializer):
    uuid = serializers.UUIDField(source="contact.uuid")
    external_id = serializers.CharField(source="contact.external_id")

    class Meta:
        model = Membership
        fields = ["uuid", "external_id", "entered_at"]


class MembersInput(serializers.Serializer):
    contacts = serializers.ListField(
        child=serializers.CharField(max_length=TEXT_MAX),
        max_length=PEOPLE_MAX,
        allow_empty=True,
        help_text="external ids, e-mail addresses or uuids",
    )
    how = serializers.ChoiceField(
        list(HOW.items()),
        default=ADD,
        help_text="`replace`: whoever is not in the list leaves",
    )
    dry_run = serializers.BooleanField(
        default=False, help_text="tell what it would do, and write nothing"
    )


class RefusedMember(serializers.Serializer):
    """One entry of the list that is nobody, or more than one."""

    path = serializers.CharField()
    contact = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class MembersOutput(serializers.Serializer):
    entered = serializers.IntegerField()
    left = serializers.IntegerField()
    dry_run = serializers.BooleanField()
    refused = RefusedMember(many=True)


class MemberPagination(KeysetPagination):
    ordering = "-contact_id"


class SegmentViewSet(HistoryActions, viewsets.GenericViewSet):
    """Segments, newest first; a path id is the number."""

    serializer_class = SegmentOutput
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Segment.objects.select_related("current_version", "built_version")

    @property
    def verbs(self) -> dict[str, str]:
        """As in the admin: a copy is a segment more."""
        is_more = self.action in ("create", "copy")
        return {"DELETE": "delete", "POST": "add" if is_more else "change"}

    def handle_exception(self, exc: Exception) -> Response:
        """What was deleted while the call waited is not there."""
        is_gone = isinstance(exc, Segment.DoesNotExist)
        return super().handle_exception(Http404() if is_gone else exc)

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
        """What is not named stays; a changed rule becomes a new version.

        409 `in_use` where running campaigns or other segments build on the rule, until
        `confirm` is true.
        """
        said = SegmentEdit(data=request.data)
        said.is_valid(raise_exception=True)
        confirmed = said.validated_data.pop("confirm")
        with transaction.atomic():
            segment = lock_for_edit(self.get_object())
            version = segment.current_version
            now = {
                "name": segment.name,
                "description": segment.description,
                "rule": version.rule if version else None,
            }
            wanted = {**now, **said.validated_data, "confirmed": confirmed}
            segment = self._save(request, segment=segment, **wanted)
        return Response(SegmentOutput(segment).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Refused with 409 while another segment names this one."""
        try:
            delete_segment(self.get_object(), actor=name_actor(request))
        except SegmentInUse as error:
            raise refuse_use(error) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, request: Request, **said: Any) -> Segment:
        try:
            return save_segment(actor=name_actor(request), **said)
        except RuleError as error:
            raise refuse_rule(error) from error
        except ConfirmationNeeded as error:
            raise refuse_use(error) from error

    @extend_schema(responses=MemberOutput(many=True))
    @action(detail=True, pagination_class=MemberPagination)
    def members(self, request: Request, pk: str) -> Response:
        """Who is in it now, newest contacts first."""
        page = self.paginate_queryset(list_member_rows(self.get_object()))
        return self.get_paginated_response(MemberOutput(page, many=True).data)

    @extend_schema(request=MembersInput, responses=MembersOutput)
    @members.mapping.post
    def fill(self, request: Request, pk: str) -> Response:
        """Add people to a static segment, replace its people, or take some out.

        Whom the list names is taken in; an entry that is nobody is `refused`, with its
        path. 409 `not_fillable` where a rule says who is in it, or while it is built.
        """
        said = MembersInput(data=request.data)
        said.is_valid(raise_exception=True)
        segment, how = self.get_object(), said.validated_data["how"]
        named = enumerate(said.validated_data["contacts"])
        listed = find_listed([Entry(n, text) for n, text in named])
        answer = {
            "dry_run": said.validated_data["dry_run"],
            "refused": [
                {
                    "path": f"contacts[{one.line}]",
                    "contact": one.text,
                    "code": one.code,
                    "message": one.message,
                }
                for one in listed.refused
            ],
        }
        try:
            moved = self._fill(request, segment, listed, how, dry=answer["dry_run"])
        except NotFillable as error:
            raise refuse_use(error, "not_fillable") from error
        return Response({**moved, **answer})

    def _fill(
        self, request: Request, segment: Segment, listed: Listed, how: str, *, dry: bool
    ) -> dict[str, int]:
        if dry:
            check_fillable(segment, how)
            outcome = measure_fill(segment, listed.people, how)
            return {"entered": outcome.entering, "left": outcome.leaving}
        actor = name_actor(request)
        diff = fill_segment(
            segment, listed.people, how, actor=actor, at=read_clock(), origin="the API"
        )
        return {"entered": diff.entered, "left": diff.left}

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
