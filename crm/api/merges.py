"""`/api/merges/` and `/api/contacts/{id}/merge/`: two contacts become one, or two
again."""

from __future__ import annotations

from typing import Any, NoReturn

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.actors import name_actor
from crm.api.pagination import KeysetPagination
from crm.bell import ring_on_commit
from crm.events.merge import MergeRefused, merge_contacts
from crm.events.unmerge import undo_merge
from crm.models import Contact, Merge
from crm.profiles import find_anybody


class MergeOutput(serializers.ModelSerializer):
    # The field, where DRF's own class has an attribute of this name.
    source: Any = serializers.UUIDField(source="source.uuid")
    target = serializers.UUIDField(source="target.uuid")
    undo_until = serializers.DateTimeField()

    class Meta:
        model = Merge
        fields = [
            "id",
            "source",
            "target",
            "made_at",
            "made_by",
            "reason",
            "undo_until",
            "undone_at",
            "undone_by",
        ]


class UndoInput(serializers.Serializer):
    reason = serializers.CharField(
        max_length=200, default="", allow_blank=True, help_text="for the record"
    )


class MergeInput(UndoInput):
    into = serializers.CharField(
        max_length=255, help_text="uuid or external id of the contact that stays"
    )


class RefusedError(exceptions.APIException):
    """The code says why: same, merged, erased, undone, too_late."""

    status_code = status.HTTP_409_CONFLICT


def refuse(refused: MergeRefused) -> NoReturn:
    raise RefusedError(str(refused), refused.code) from refused


def get_anybody(said: str) -> Contact:
    contact = find_anybody(said)
    if contact is None or contact.erased_at:
        raise Http404
    return contact


class ContactMergeView(APIView):
    model = Merge

    @extend_schema(request=MergeInput, responses={201: MergeOutput})
    def post(self, request: Request, contact: str) -> Response:
        """Fold this contact into another; its ids lead there from now on."""
        said = MergeInput(data=request.data)
        said.is_valid(raise_exception=True)
        source = get_anybody(contact)
        target = find_anybody(said.validated_data["into"])
        if target is None:
            raise exceptions.ValidationError({"into": "Nobody is known by this."})
        try:
            merge_contacts(
                source_id=source.pk,
                target_id=target.pk,
                actor=name_actor(request),
                reason=said.validated_data["reason"],
            )
        except MergeRefused as refused:
            refuse(refused)
        ring_on_commit()
        made = Merge.objects.standing().get(source=source)
        return Response(MergeOutput(made).data, status=201)


class MergeViewSet(viewsets.ReadOnlyModelViewSet):
    """Merges, newest first, undone ones too."""

    queryset = Merge.objects.newest_first()
    serializer_class = MergeOutput
    pagination_class = KeysetPagination
    lookup_value_regex = "[0-9]{1,18}"

    @extend_schema(request=UndoInput, responses=MergeOutput)
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: Any) -> Response:
        """Make them two contacts again, within 30 days."""
        said = UndoInput(data=request.data)
        said.is_valid(raise_exception=True)
        merge = self.get_object()
        try:
            undo_merge(
                merge,
                actor=name_actor(request),
                at=timezone.now(),
                reason=said.validated_data["reason"],
            )
        except MergeRefused as refused:
            refuse(refused)
        ring_on_commit()
        return Response(MergeOutput(self.get_object()).data)
