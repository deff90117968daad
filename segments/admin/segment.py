"""Segments: the list, the editor, people with reasons. Read-only rows behind them."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from crm.clock import read_clock
from crm.models import Contact
from crm.profiles import find_contact
from segments.admin.editor import show_editor, show_preview
from segments.admin.filling import show_filling
from segments.admin.overview import POLL_S, show_overview, show_progress
from segments.admin.pages import describe_page, find_segment, tell_gone
from segments.admin.versions import copy, download_rule, restore, show_versions
from segments.diff import load_rule
from segments.editing import SegmentInUse, delete_segment
from segments.explain import explain_contact
from segments.models import Membership, MembershipChange, Segment

PAGE_SIZE = 50


@admin.register(Segment)
class SegmentAdmin(ModelAdmin):
    list_display = ("name", "shown_state", "size", "summary", "refreshed_at")
    list_filter = ("state", "kind")
    list_select_related = ("current_version",)
    search_fields = ("name", "slug", "description")
    search_help_text = "Part of a name or a description"
    empty_hint = (
        "A segment says whom a campaign is for. Build it from events and traits."
    )
    ordering = ("name",)
    list_per_page = PAGE_SIZE
    # Deleting asks first who uses it, one by one.
    actions = None

    class Media:
        css = {"all": ("segments/segments.css",)}

    @admin.display(description="State", ordering="state")
    def shown_state(self, segment: Segment) -> str:
        return render_to_string(
            "segments/_badge.html",
            {
                "segment": segment,
                "progress": segment.state == Segment.State.BUILDING,
                "poll_s": POLL_S,
            },
        )

    @admin.display(description="Who")
    def summary(self, segment: Segment) -> str:
        text = segment.current_version.summary if segment.current_version else ""
        return text if len(text) <= 120 else f"{text[:120]}…"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("preview/", view(require_POST(self.preview_view)),
                 name="segments_segment_preview"),
            path("<int:pk>/preview/", view(require_POST(self.preview_view)),
                 name="segments_segment_preview_of"),
            path("<int:pk>/people/", view(self.people_view),
                 name="segments_segment_people"),
            path("<int:pk>/overview/", view(partial(show_overview, self)),
                 name="segments_segment_overview"),
            path("<int:pk>/progress/", view(partial(show_progress, self)),
                 name="segments_segment_progress"),
            path("<int:pk>/versions/", view(partial(show_versions, self)),
                 name="segments_segment_versions"),
            path("<int:pk>/restore/", view(require_POST(partial(restore, self))),
                 name="segments_segment_restore"),
            path("<int:pk>/copy/", view(require_POST(partial(copy, self))),
                 name="segments_segment_copy"),
            path("<int:pk>/fill/", view(partial(show_filling, self)),
                 name="segments_segment_fill"),
            path("<int:pk>/rule/", view(partial(download_rule, self)),
                 name="segments_segment_rule"),
            *super().get_urls(),
        ]  # fmt: skip

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return show_editor(request, self, None)

    @tell_gone
    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        segment = self.get_object(request, object_id)
        if segment is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        allowed = (
            self.has_change_permission(request, segment)
            if request.method == "POST"
            else self.has_view_permission(request, segment)
        )
        if not allowed:
            raise PermissionDenied
        return show_editor(request, self, segment)

    def preview_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=pk) if pk else None
        return show_preview(request, segment)

    def people_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who is in it, the latest moves, and why one person is in or not."""
        segment = find_segment(self, request, pk)
        said = request.GET.get("contact", "").strip()
        rows = Membership.objects.page_before(segment, request.GET.get("before", ""))
        members = list(rows[: PAGE_SIZE + 1])
        moves = MembershipChange.objects.latest_of(segment)[:20]
        context = {
            **describe_page(self, request, segment, "people"),
            **explain_looked_up(segment, said),
            "members": members[:PAGE_SIZE],
            "next": members[PAGE_SIZE - 1].contact_id if members[PAGE_SIZE:] else None,
            "moves": moves,
        }
        return render(request, "segments/people.html", context)

    def delete_model(self, request: HttpRequest, obj: Segment) -> None:
        delete_segment(obj, actor=request.user)

    @tell_gone
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except SegmentInUse as error:
            messages.error(request, f"It cannot be deleted: {error}.")
            return self.response_post_save_change(request, None)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The segments alone: a list of a million members helps nobody."""
        names = [f"{one.name} with {one.size:,} members" for one in objs]
        return names, {"segments": len(names)}, set(), []


def explain_looked_up(segment: Segment, said: str) -> dict[str, Any]:
    """Why the contact that was asked for is in, or is not."""
    if not said:
        return {"said": ""}
    contact = find_looked_up(said)
    if contact is None or segment.current_version is None:
        return {"said": said, "contact": None}
    rule = load_rule(segment.current_version)
    return {
        "said": said,
        "contact": contact,
        "answer": explain_contact(rule, contact.pk, at=read_clock()),
    }


def find_looked_up(said: str) -> Contact | None:
    """By external id, uuid, number or e-mail."""
    if "\0" in said:
        return None
    people = Contact.objects.canonical()
    try:
        return people.filter(uuid=uuid.UUID(said)).first()
    except ValueError:
        pass
    if said.isdecimal() and len(said) < 18:
        by_number = people.filter(pk=int(said)).first()
        return find_contact(said) or by_number
    return find_contact(said) or people.filter(email__iexact=said).first()
