"""The lifecycle on one page: people per stage, moves per week, and its editor.

A plain form post: preview counts people before anything is saved.
"""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from unfold.admin import ModelAdmin

from crm.bell import ring_on_commit
from crm.clock import read_clock
from crm.ports.facts import RuleError
from segments.lifecycle import save_stages
from segments.lifecycle_figures import count_moves, count_people, preview_stages
from segments.models import Lifecycle
from segments.rules.stages import SHIPPED, read_stages

TEMPLATE = "segments/lifecycle.html"
PAGE = "admin:segments_lifecycle_changelist"
WEEKS = 8


@admin.register(Lifecycle)
class LifecycleAdmin(ModelAdmin):
    empty_hint = "Save the stages that are shown, or your own, to begin."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(PAGE)

    def changelist_view(
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        said: dict[str, Any] = {}
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            said = take_stages(request)
            if said.get("saved"):
                return redirect(PAGE)
        return render(request, TEMPLATE, self._build_context(request, said))

    def _build_context(
        self, request: HttpRequest, said: dict[str, Any]
    ) -> dict[str, Any]:
        current = Lifecycle.objects.current()
        stages = current.stages if current else SHIPPED
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Lifecycle",
            "current": current,
            "people": count_people(),
            "moves": count_moves(now=read_clock(), weeks=WEEKS),
            "weeks": WEEKS,
            "may_change": self.has_change_permission(request),
            "json": json.dumps(stages, indent=2, ensure_ascii=False),
            **said,
        }


def take_stages(request: HttpRequest) -> dict[str, Any]:
    """What came of a post: saved, a preview, or a fault; with the text as it was."""
    text = request.POST.get("json", "")
    try:
        data = json.loads(text)
        stages = read_stages(data)
        if request.POST.get("do") != "save":
            preview = preview_stages(stages, at=read_clock())
            return {"json": text, "preview": preview, "looked": True}
        save_stages(data, actor=request.user)
    except RuleError as error:
        return {"json": text, "fault": str(error)}
    except (ValueError, RecursionError) as error:
        return {"json": text, "fault": f"This is not JSON: {error}"[:200]}
    ring_on_commit(settings.TRAIT_BELL_TASK)
    messages.success(request, "Saved. Everybody is judged anew in the background.")
    return {"saved": True}
