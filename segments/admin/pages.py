"""What the pages of one segment share: who may see it, its head and its tabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from segments.models import Segment

TABS = (
    ("overview", "Overview"),
    ("change", "Rule"),
    ("people", "People"),
    ("versions", "Versions"),
)
# Of a static segment besides, for who may change it.
FILL_TAB = ("fill", "Fill by list")


def find_segment(admin: ModelAdmin, request: HttpRequest, pk: int) -> Segment:
    """The segment, for who may see segments."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    return get_object_or_404(Segment.objects.select_related("current_version"), pk=pk)


def tell_gone(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """404 where the segment was deleted while the request waited for its turn."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except Segment.DoesNotExist as error:
            raise Http404 from error

    return wrapped


def describe_page(
    admin: ModelAdmin, request: HttpRequest, segment: Segment, tab: str
) -> dict[str, Any]:
    may_change = admin.has_change_permission(request, segment)
    is_filled = may_change and segment.kind == Segment.Kind.STATIC
    return {
        **admin.admin_site.each_context(request),
        **describe_tabs(segment, tab, (*TABS, FILL_TAB) if is_filled else TABS),
        "opts": Segment._meta,
        "title": segment.name,
        "object": segment,
        "segment": segment,
        "may_change": may_change,
        "may_add": admin.has_add_permission(request),
        "may_delete": admin.has_delete_permission(request, segment),
    }


def describe_tabs(
    segment: Segment, tab: str, tabs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "tab": tab,
        "tabs": [
            {
                "key": key,
                "title": title,
                "url": reverse(f"admin:segments_segment_{key}", args=[segment.pk]),
            }
            for key, title in tabs
        ],
    }
