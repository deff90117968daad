"""`/api/segments/preview/`: who a rule would find, before it is saved."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.clock import read_clock
from crm.models import Contact
from crm.ports.facts import RuleError
from segments.api.shapes import refuse_rule
from segments.editing import check_rule
from segments.explain import preview_rule
from segments.rules.describe import describe


class PreviewInput(serializers.Serializer):
    rule = serializers.JSONField()


class SampleOutput(serializers.ModelSerializer):
    name = serializers.CharField(source="display_name")

    class Meta:
        model = Contact
        fields = ["uuid", "external_id", "name"]


class PreviewOutput(serializers.Serializer):
    """Size is null where the count took longer than five seconds; `estimate` is then
    what the database expects by its statistics, which may be far off."""

    size = serializers.IntegerField(allow_null=True)
    timed_out = serializers.BooleanField()
    estimate = serializers.IntegerField(allow_null=True)
    summary = serializers.CharField()
    sample = SampleOutput(many=True)


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
                "estimate": preview.estimate,
                "summary": describe(rule),
                "sample": sample,
            }
        )
