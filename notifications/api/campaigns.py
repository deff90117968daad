"""`/api/campaigns/`: their state and counts, the report, and the hands on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.fields import get_error_detail
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.actors import name_actor
from crm.api.idempotency import HEADER, run_once
from crm.bell import ring_on_commit
from crm.clock import read_clock
from crm.models import ApiKey
from notifications.analytics.metrics import (
    campaign_report,
    count_states,
    daily_series,
)
from notifications.api.reports import ReportOutput
from notifications.api.testing import (
    MayTest,
    TestInput,
    TestOutput,
    describe_test,
    read_contact,
)
from notifications.campaigns.launch import (
    cancel_campaign,
    launch_campaign,
    pause_campaign,
    resume_campaign,
)
from notifications.campaigns.testing import send_test
from notifications.models import Campaign, CampaignVersion
from notifications.models.campaign import IllegalTransitionError


class VersionOutput(serializers.ModelSerializer):
    """The definition in force. Schedule: kind, send_at, local_send_at, time_zone,
    interval, crontab; trigger: trigger_event, trigger_delay_s, segment."""

    segment = serializers.CharField(
        source="segment.slug", default=None, allow_null=True
    )
    interval = serializers.CharField(default=None, allow_null=True)
    crontab = serializers.CharField(default=None, allow_null=True)
    template = serializers.CharField(
        source="template.name", default=None, allow_null=True
    )

    class Meta:
        model = CampaignVersion
        fields = [
            "number",
            "created_at",
            "kind",
            "segment",
            "purpose_class",
            "topic_id",
            "send_at",
            "local_send_at",
            "time_zone",
            "interval",
            "crontab",
            "trigger_event",
            "trigger_delay_s",
            "template",
            "channel",
            "priority",
            "ttl_s",
            "goal_event",
            "goal_window_s",
            "goal_anchor",
        ]


class CampaignOutput(serializers.ModelSerializer):
    version = VersionOutput(source="current_version", allow_null=True)
    # Messages by state; a state that has none is left out.
    counts = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = [
            "id",
            "name",
            "state",
            "origin",
            "next_run_at",
            "build_started_at",
            "launched_at",
            "paused_at",
            "paused_reason",
            "finished_at",
            "version",
            "counts",
        ]

    def get_counts(self, campaign: Campaign) -> dict[str, int]:
        return dict(self.context["counts"].get(campaign.pk, {}))


class ReasonInput(serializers.Serializer):
    """Why, in the words of whoever does it; kept in the audit trail."""

    reason = serializers.CharField(max_length=300, default="", allow_blank=True)


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "illegal_transition"


ONCE = [
    OpenApiParameter(
        HEADER,
        str,
        OpenApiParameter.HEADER,
        description="the same for a day: the first answer again, no second effect",
    )
]


class MaySteer(BasePermission):
    """A key that may send, or staff who may launch."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiKey):
            return request.auth.allows(ApiKey.Scope.SEND)
        user = request.user
        return bool(user.is_staff and user.has_perm("notifications.launch_campaign"))


class CampaignViewSet(viewsets.GenericViewSet):
    """Campaigns, newest first."""

    queryset = Campaign.objects.with_definition()
    serializer_class = CampaignOutput
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(responses=CampaignOutput(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self._show(page or []))

    @extend_schema(responses=CampaignOutput)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self._show([self.get_object()])[0])

    @extend_schema(responses=ReportOutput)
    @action(detail=True)
    def report(self, request: Request, pk: str) -> Response:
        """The ladder, everybody else by reason, rates, revenue, the first days."""
        campaign = self.get_object()
        figures = asdict(campaign_report(campaign, at=read_clock()))
        days = daily_series(campaign)
        return Response(ReportOutput({**figures, "days": days}).data)

    @extend_schema(request=None, parameters=ONCE, responses=CampaignOutput)
    @action(detail=True, methods=["post"], permission_classes=[MaySteer])
    def launch(self, request: Request, pk: str) -> Response:
        """Draft → scheduled or running; 400 names what is missing."""
        return run_once(
            request, lambda: self._steer(launch_campaign, by=name_actor(request))
        )

    @extend_schema(request=ReasonInput, responses=CampaignOutput)
    @action(detail=True, methods=["post"], permission_classes=[MaySteer])
    def pause(self, request: Request, pk: str) -> Response:
        """Stop new sends at once; `resume` goes on with the rest."""
        reason = _read_reason(request)
        return self._steer(pause_campaign, by=name_actor(request), reason=reason)

    @extend_schema(request=None, parameters=ONCE, responses=CampaignOutput)
    @action(detail=True, methods=["post"], permission_classes=[MaySteer])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on; what expired meanwhile ends as expired."""
        return run_once(
            request, lambda: self._steer(resume_campaign, by=name_actor(request))
        )

    @extend_schema(request=ReasonInput, responses=CampaignOutput)
    @action(detail=True, methods=["post"], permission_classes=[MaySteer])
    def cancel(self, request: Request, pk: str) -> Response:
        """End it for good; what waits is cancelled."""
        reason = _read_reason(request)
        return self._steer(cancel_campaign, by=name_actor(request), reason=reason)

    @extend_schema(request=TestInput, parameters=ONCE, responses={201: TestOutput})
    @action(detail=True, methods=["post"], permission_classes=[MayTest])
    def test(self, request: Request, pk: str) -> Response:
        """Send the message to one person now, whatever they consented to."""
        return run_once(request, lambda: self._send_test(request))

    def _send_test(self, request: Request) -> Response:
        campaign, contact = self.get_object(), read_contact(request)
        try:
            delivery = send_test(campaign, contact, name_actor(request))
        except ValidationError as error:
            raise exceptions.ValidationError(get_error_detail(error)) from error
        ring_on_commit()
        return Response(describe_test(campaign, delivery), status.HTTP_201_CREATED)

    def _steer(self, act: Callable[..., Any], **said: Any) -> Response:
        """Do it, ring, show the campaign; a step its state forbids is a 409."""
        campaign = self.get_object()
        try:
            act(campaign, **said)
        except IllegalTransitionError as error:
            raise Conflict(" ".join(error.messages)) from error
        except ValidationError as error:
            raise exceptions.ValidationError(get_error_detail(error)) from error
        ring_on_commit()
        return Response(self._show([campaign])[0])

    def _show(self, campaigns: Sequence[Campaign]) -> Any:
        context = {"counts": count_states([row.pk for row in campaigns])}
        return CampaignOutput(campaigns, many=True, context=context).data


def _read_reason(request: Request) -> str:
    said = ReasonInput(data=request.data)
    said.is_valid(raise_exception=True)
    return str(said.validated_data["reason"])
