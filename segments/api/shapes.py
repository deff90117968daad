"""What several of the segments' routes read and answer."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404
from rest_framework import serializers, status
from rest_framework.exceptions import ErrorDetail, ValidationError

from crm.models import Contact
from crm.ports.facts import RuleError
from segments.explain import Explained
from segments.models import Segment


class SegmentOutput(serializers.ModelSerializer):
    version = serializers.IntegerField(source="current_version.number")
    rule = serializers.JSONField(source="current_version.rule")
    summary = serializers.CharField(source="current_version.summary")
    # Whose members these are, while a newer version is being built.
    built_version = serializers.IntegerField(
        source="built_version.number", default=None, allow_null=True
    )

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
            "build_started_at",
            "built_version",
            "version",
            "rule",
            "summary",
            "created_at",
        ]


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


def refuse_use(error: Exception, code: str = "in_use") -> ValidationError:
    """A 409: others build on this segment, or it is not of that kind."""
    conflict = ValidationError({"": [ErrorDetail(str(error), code)]})
    conflict.status_code = status.HTTP_409_CONFLICT
    return conflict
