"""Kill switches: what is off, one big button, and the way back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from crm.admin.base import ReadOnlyAdmin
from crm.bell import ring_on_commit
from notifications.delivery.switches import count_behind, resume_sending, stop_sending
from notifications.models import Sender, Switch
from notifications.models.channel import Channel

STOP = "notifications.add_switch"
RESUME = "notifications.delete_switch"


@admin.register(Switch)
class SwitchAdmin(ReadOnlyAdmin):
    """The list is a page of its own: rows mean "off"."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = list(Switch.objects.select_related("stopped_by").order_by("scope"))
        stopped = {row.scope for row in rows}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Stop sending",
            "rows": [(row, *count_behind(row.scope)) for row in rows],
            "all_stopped": Switch.ALL in stopped,
            "scopes": [one for one in list_scopes() if one[0] not in stopped],
            "may_stop": request.user.has_perm(STOP),
            "may_resume": request.user.has_perm(RESUME),
        }
        return render(request, "notifications/switches.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "stop/",
                view(require_POST(self.stop_view)),
                name="notifications_switch_stop",
            ),
            path(
                "resume/",
                view(require_POST(self.resume_view)),
                name="notifications_switch_resume",
            ),
            *super().get_urls(),
        ]

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(STOP):
            raise PermissionDenied
        scope = request.POST.get("scope", "")
        try:
            stop_sending(scope, by=request.user, reason=request.POST.get("reason", ""))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            waiting, _ = count_behind(scope)
            messages.warning(request, f"Stopped: {scope}. {waiting:,} messages wait.")
        return redirect("admin:notifications_switch_changelist")

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(RESUME):
            raise PermissionDenied
        try:
            done = resume_sending(request.POST.get("scope", ""), by=request.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
            return redirect("admin:notifications_switch_changelist")
        ring_on_commit()
        messages.success(
            request,
            f"Resumed. {done.waiting:,} messages go out; {done.too_late:,} expired "
            "meanwhile and stay unsent.",
        )
        return redirect("admin:notifications_switch_changelist")


def list_scopes() -> list[tuple[str, str]]:
    """What can be stopped alone: channels with a sender, and senders."""
    senders = list(Sender.objects.order_by("name"))
    channels = sorted({sender.channel for sender in senders})
    return [
        *((f"channel:{name}", f"All of {Channel(name).label}") for name in channels),
        *((f"sender:{sender.pk}", f"Sender {sender.name}") for sender in senders),
    ]
