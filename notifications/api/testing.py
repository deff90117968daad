"""`POST /api/campaigns/{id}/test/`: the message as one person gets it, sent now."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from crm.models import ApiKey, Contact
from crm.profiles import find_anybody
from notifications.campaigns.preview import preview_campaign
from notifications.delivery.messages import Rendered, describe_text
from notifications.models import Campaign, Delivery
from notifications.reasons import SENTENCES


class TestInput(serializers.Serializer):
    """To whom: a uuid or an external id."""

    contact = serializers.CharField(max_length=255)

    def validate_contact(self, said: str) -> Contact:
        found = find_anybody(said)
        if found is None or found.erased_at:
            raise exceptions.ValidationError("Nobody is known by this.")
        return found


class ButtonOutput(serializers.Serializer):
    title = serializers.CharField()
    link = serializers.CharField()


class TextOutput(serializers.Serializer):
    title = serializers.CharField()
    body = serializers.CharField()
    image_url = serializers.CharField()
    link = serializers.CharField()
    buttons = ButtonOutput(many=True)


class TestOutput(serializers.Serializer):
    """The messages on their way; without a text, `sentence` says why there is none."""

    deliveries = serializers.ListField(child=serializers.UUIDField())
    contact = serializers.UUIDField()
    locale = serializers.CharField()
    reason = serializers.CharField()
    detail = serializers.CharField()
    sentence = serializers.SerializerMethodField()
    text = TextOutput(allow_null=True)

    @extend_schema_field(str)
    def get_sentence(self, told: dict[str, Any]) -> str:
        """The reason in plain English."""
        return SENTENCES.get(told["reason"], "")


class MayTest(BasePermission):
    """A key that may send, or staff who may send tests."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiKey):
            return request.auth.allows(ApiKey.Scope.SEND)
        user = request.user
        return bool(user.is_staff and user.has_perm("notifications.send_test"))


def read_contact(request: Request) -> Contact:
    said = TestInput(data=request.data)
    said.is_valid(raise_exception=True)
    return said.validated_data["contact"]


def describe_test(campaign: Campaign, delivery: Delivery) -> Any:
    """What is on its way, in the words that the person will read."""
    shown = preview_campaign(campaign, delivery.contact)
    told: dict[str, Any] = {
        "deliveries": [delivery.pk],
        "contact": delivery.contact.uuid,
        "locale": "",
        "reason": "",
        "detail": "",
        "text": None,
    }
    if isinstance(shown, Rendered):
        told |= {"locale": shown.locale, "text": describe_text(shown.push)}
    else:
        told |= {"reason": shown.reason, "detail": shown.detail}
    return TestOutput(told).data
