"""`/api/contacts/{id}/segments/`: the segments of one contact, since when and why."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.clock import read_clock
from segments.api.shapes import NodeOutput, find_api_contact
from segments.explain import explain_standing, list_standings
from segments.models import Segment

# Each is some queries where it is explained node by node.
EXPLAINED_MAX = 20
TRUE = ("1", "true", "yes")


class StandingOutput(serializers.Serializer):
    """How a contact stands to a segment. `reason` is why they entered or left last;
    `explanation`, where it was asked for, says node by node why they are (not) in."""

    id = serializers.IntegerField(source="segment.id")
    name = serializers.CharField(source="segment.name")
    slug = serializers.CharField(source="segment.slug")
    is_member = serializers.BooleanField()
    entered_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    explanation = NodeOutput(allow_null=True)


class ContactSegments(APIView):
    """The segments a contact is in now, by name; with `segment` that one alone,
    in it or not."""

    @extend_schema(
        parameters=[
            OpenApiParameter("explain", bool, description="node by node; 20 at most"),
            OpenApiParameter("segment", int, description="this one, explained"),
        ],
        responses=StandingOutput(many=True),
    )
    def get(self, request: Request, contact: str) -> Response:
        found = find_api_contact(contact)
        query = request.query_params
        only = find_wanted(query["segment"]) if "segment" in query else None
        explains = only is not None or query.get("explain", "").lower() in TRUE
        rows = list_standings(found.pk, only=only)
        if explains:
            if len(rows) > EXPLAINED_MAX:
                text = f"They are in more than {EXPLAINED_MAX}: name a segment."
                raise ValidationError({"explain": [text]})
            at = read_clock()
            rows = [explain_standing(row, found.pk, at=at) for row in rows]
        return Response(StandingOutput(rows, many=True).data)


def find_wanted(said: str) -> Segment:
    is_number = said.isascii() and said.isdigit() and len(said) <= 18
    rows = Segment.objects.select_related("current_version")
    found = rows.filter(pk=int(said)).first() if is_number else None
    if found is None:
        raise ValidationError({"segment": ["There is no segment of this id."]})
    return found
