"""Versions of a rule: what changed between two, one made the rule again, a copy,
and the rule as a file."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from crm.ports.facts import RuleError
from segments.admin.pages import describe_page, find_segment, tell_gone
from segments.editing import ConfirmationNeeded, copy_segment, restore_version
from segments.models import Segment, SegmentVersion
from segments.rules.compare import compare_rules

# Older ones are found by their number in the address.
SHOWN_VERSIONS = 100
NUMBER_DIGITS = 9


def show_versions(
    admin: ModelAdmin,
    request: HttpRequest,
    pk: int,
    *,
    asked: ConfirmationNeeded | None = None,
    restores: int = 0,
) -> HttpResponse:
    """The list, and what changed between two: the newest and the one before."""
    segment = find_segment(admin, request, pk)
    versions = list(segment.versions.select_related("created_by")[:SHOWN_VERSIONS])
    newer = find_version(segment, request.GET.get("to", ""), versions[:1])
    before = [one for one in versions if newer and one.number < newer.number]
    older = find_version(segment, request.GET.get("from", ""), before[:1])
    context = {
        **describe_page(admin, request, segment, "versions"),
        **compare_versions(older, newer),
        "versions": versions,
        "asked": asked,
        "restores": restores,
    }
    status = 409 if asked else 200
    return render(request, "segments/versions.html", context, status=status)


def find_version(
    segment: Segment, said: str, default: list[SegmentVersion]
) -> SegmentVersion | None:
    number = read_number(said)
    if number is None:
        return default[0] if default else None
    return segment.versions.filter(number=number).first()


def read_number(said: str) -> int | None:
    is_number = said.isascii() and said.isdigit() and len(said) <= NUMBER_DIGITS
    return int(said) if is_number else None


def compare_versions(
    older: SegmentVersion | None, newer: SegmentVersion | None
) -> dict[str, Any]:
    """`difference` is None where a rule of theirs reads no longer."""
    context: dict[str, Any] = {"older": older, "newer": newer, "difference": None}
    if older and newer:
        try:
            context["difference"] = compare_rules(older.parsed(), newer.parsed())
        except RuleError as error:
            context["unreadable"] = str(error)
    return context


@tell_gone
def restore(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    segment = find_segment(admin, request, pk)
    if not admin.has_change_permission(request, segment):
        raise PermissionDenied
    number = read_number(request.POST.get("version", ""))
    if number is None:
        raise Http404
    confirmed = request.POST.get("confirm") == "yes"
    try:
        restore_version(segment, number, actor=request.user, confirmed=confirmed)
    except SegmentVersion.DoesNotExist as error:
        raise Http404 from error
    except ConfirmationNeeded as asked:
        return show_versions(admin, request, pk, asked=asked, restores=number)
    except RuleError as error:
        messages.error(request, f"Version {number} cannot be restored: {error}.")
    else:
        messages.success(request, f"The rule is that of version {number} again.")
    return redirect("admin:segments_segment_versions", pk)


def copy(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    segment = find_segment(admin, request, pk)
    if not admin.has_add_permission(request):
        raise PermissionDenied
    try:
        made = copy_segment(segment, actor=request.user)
    except RuleError as error:
        messages.error(request, f"It cannot be copied: {error}.")
        return redirect("admin:segments_segment_versions", pk)
    messages.success(request, f"“{made.name}” is a copy of “{segment.name}”.")
    return redirect("admin:segments_segment_change", made.pk)


def download_rule(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The segment as a file that the editor and the API take in again."""
    segment = find_segment(admin, request, pk)
    version = segment.current_version
    said = {
        "name": segment.name,
        "description": segment.description,
        "kind": segment.kind,
        "rule": version.rule if version else None,
    }
    text = json.dumps(said, indent=2, ensure_ascii=False)
    answer = HttpResponse(text, content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{segment.slug}.json"'
    return answer
