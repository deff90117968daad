"""Versions of a segment, who came and went, who uses it, what it shares."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from crm.api.actors import name_actor
from crm.api.pagination import EventPagination, KeysetPagination
from crm.ports.facts import RuleError
from segments.api.shapes import SegmentOutput, refuse_rule, refuse_use
from segments.deadline import TooSlow
from segments.editing import ConfirmationNeeded, copy_segment, restore_version
from segments.figures import measure_overlap
from segments.models import MembershipChange, Segment, SegmentVersion
from segments.uses import list_uses


class SegmentVersionOutput(serializers.ModelSerializer):
    created_by = serializers.CharField(source="created_by.username", default=None)

    class Meta:
        model = SegmentVersion
        fields = ["number", "rule", "summary", "created_at", "created_by"]


class RestoreInput(serializers.Serializer):
    version = serializers.IntegerField(min_value=1, max_value=999_999_999)
    confirm = serializers.BooleanField(
        default=False, help_text="change a rule that others build on all the same"
    )


class ChangeOutput(serializers.ModelSerializer):
    """Somebody entered or left: when, why, and under which version of the rule."""

    uuid = serializers.UUIDField(source="contact.uuid")
    external_id = serializers.CharField(source="contact.external_id")
    version = serializers.IntegerField(source="version.number", default=None)

    class Meta:
        model = MembershipChange
        fields = ["id", "uuid", "external_id", "action", "at", "reason", "version"]


class UseOutput(serializers.Serializer):
    kind = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    is_live = serializers.BooleanField(
        help_text="its people feel a changed rule; asks for `confirm`"
    )


class OverlapOutput(serializers.Serializer):
    both = serializers.IntegerField()
    only_first = serializers.IntegerField(help_text="only in this segment")
    only_second = serializers.IntegerField(help_text="only in the other")


class TooSlowError(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "too_slow"
    default_detail = "Counting took longer than 5 seconds and was stopped."


class VersionPagination(KeysetPagination):
    ordering = "-number"


class ChangePagination(EventPagination):
    """Newest first, by time and then id."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: Any = None
    ) -> list[Any]:
        size = self.read_page_size(request)
        cursor = request.query_params.get("cursor")
        if cursor:
            queryset = queryset.before(*read_change_cursor(cursor))
        rows = list(queryset[: size + 1])
        self.next_link = None
        if len(rows) > size:
            rows.pop()
            address = request.build_absolute_uri()
            after = write_change_cursor(rows[-1])
            self.next_link = replace_query_param(address, "cursor", after)
        return rows


def write_change_cursor(row: MembershipChange) -> str:
    return base64.urlsafe_b64encode(f"{row.at.isoformat()} {row.pk}".encode()).decode()


def read_change_cursor(text: str) -> tuple[datetime, int]:
    try:
        said, _, pk = base64.urlsafe_b64decode(text).decode("ascii").partition(" ")
        at = datetime.fromisoformat(said)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({"cursor": ["Not a cursor of ours."]}) from error
    if at.tzinfo is None or not pk.isdigit() or len(pk) > 18:
        raise ValidationError({"cursor": ["Not a cursor of ours."]})
    return at, int(pk)


class HistoryActions:
    """Routes below one segment, beside those of `SegmentViewSet`."""

    get_object: Any
    paginate_queryset: Any
    get_paginated_response: Any

    @extend_schema(responses=SegmentVersionOutput(many=True))
    @action(detail=True, pagination_class=VersionPagination)
    def versions(self, request: Request, pk: str) -> Response:
        """Every version of the rule, the newest first; none is ever changed."""
        rows = self.get_object().versions.select_related("created_by")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(SegmentVersionOutput(page, many=True).data)

    @extend_schema(request=RestoreInput, responses=SegmentOutput)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Make the rule of an older version the rule again, as a new version.

        409 `in_use` as for a change of the rule.
        """
        said = RestoreInput(data=request.data)
        said.is_valid(raise_exception=True)
        try:
            segment = restore_version(
                self.get_object(),
                said.validated_data["version"],
                actor=name_actor(request),
                confirmed=said.validated_data["confirm"],
            )
        except SegmentVersion.DoesNotExist as error:
            raise Http404 from error
        except RuleError as error:
            raise refuse_rule(error) from error
        except ConfirmationNeeded as error:
            raise refuse_use(error) from error
        return Response(SegmentOutput(segment).data)

    @extend_schema(request=None, responses={201: SegmentOutput})
    @action(detail=True, methods=["post"])
    def copy(self, request: Request, pk: str) -> Response:
        """A new segment with the same rule, called "Copy of …"."""
        try:
            made = copy_segment(self.get_object(), actor=name_actor(request))
        except RuleError as error:
            raise refuse_rule(error) from error
        return Response(SegmentOutput(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        responses=ChangeOutput(many=True),
        parameters=[OpenApiParameter("cursor", str)],
    )
    @action(detail=True, pagination_class=ChangePagination)
    def changes(self, request: Request, pk: str) -> Response:
        """Who entered and left, when and why; the newest first."""
        page = self.paginate_queryset(list_change_rows(self.get_object()))
        return self.get_paginated_response(ChangeOutput(page, many=True).data)

    @extend_schema(responses=UseOutput(many=True))
    @action(detail=True, pagination_class=None)
    def uses(self, request: Request, pk: str) -> Response:
        """Segments that name it and campaigns that send to it, what is live first."""
        return Response(UseOutput(list_uses(self.get_object()), many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("with", str, required=True, description="a slug")],
        responses=OverlapOutput,
    )
    @action(detail=True)
    def overlap(self, request: Request, pk: str) -> Response:
        """How many people are in this segment, in another, and in both."""
        other = find_by_slug(request.query_params.get("with", ""))
        try:
            return Response(
                OverlapOutput(measure_overlap(self.get_object(), other)).data
            )
        except TooSlow as error:
            raise TooSlowError from error


def list_change_rows(segment: Segment) -> QuerySet[MembershipChange]:
    return MembershipChange.objects.latest_of(segment).select_related("version")


def find_by_slug(slug: str) -> Segment:
    found = Segment.objects.filter(slug=slug).first()
    if found is None:
        raise ValidationError({"with": ["There is no segment of this slug."]})
    return found
