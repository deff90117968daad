"""Exports: ask for rows with a reason, fetch them by a link of one's own."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.decorators import display

from crm.admin.base import ReadOnlyAdmin, cut_cell
from crm.imports.exports import (
    ExportRefused,
    follow_link,
    list_choices,
    make_link,
    name_file,
    stream_csv,
    write_xlsx,
)
from crm.models import ExportLink
from crm.models.export_link import LINK_HOURS
from crm.ports.sheets import list_groups, list_sheets

RIGHT: Final = "crm.add_exportlink"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@admin.register(ExportLink)
class ExportLinkAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "owner", "shown_reason", "created_at", "shown_state")
    list_select_related = ("owner",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = "Contacts, events and messages as CSV or Excel, with a reason."

    @admin.display(description="Reason")
    def shown_reason(self, link: ExportLink) -> str:
        return cut_cell(link.reason)

    @display(description="Link", label={"open": "success", "ended": "warning"})
    def shown_state(self, link: ExportLink) -> str:
        return "open" if link.expires_at > timezone.now() else "ended"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RIGHT))

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExportLink]:
        return ExportLink.objects.newest_first()

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<str:token>/fetch/",
                self.admin_site.admin_view(self.fetch_view),
                name="crm_exportlink_fetch",
            ),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            link = _ask(request)
            if link is not None:
                return redirect("admin:crm_exportlink_change", link.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Export",
            "sheets": list_choices(request.user, list_sheets()),  # type: ignore[arg-type]
            "groups": list_groups(),
            "formats": ExportLink.Format.choices,
            "hours": LINK_HOURS,
            "said": request.POST or request.GET,
        }
        return render(request, "crm/exports/ask.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        link = self.get_object(request, object_id)
        if link is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": link,
            "title": name_file(link),
            "link": link,
            "is_open": link.expires_at > timezone.now(),
            "is_mine": link.owner_id == request.user.pk,
        }
        return render(request, "crm/exports/link.html", context)

    def fetch_view(self, request: HttpRequest, token: str) -> HttpResponse:
        """The rows, streamed; 404 for everybody but the owner, and after the end."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        link = follow_link(
            token.replace("\x00", ""),
            by=request.user,  # type: ignore[arg-type]
            at=timezone.now(),
        )
        if link is None:
            raise Http404("The link is not yours, or it has ended.")
        if link.format == ExportLink.Format.XLSX:
            return FileResponse(  # type: ignore[return-value]
                write_xlsx(link),
                as_attachment=True,
                filename=name_file(link),
                content_type=XLSX,
            )
        answer = StreamingHttpResponse(stream_csv(link), content_type="text/csv")
        answer["Content-Disposition"] = f'attachment; filename="{name_file(link)}"'
        return answer  # type: ignore[return-value]


def _ask(request: HttpRequest) -> ExportLink | None:
    try:
        return make_link(
            owner=request.user,  # type: ignore[arg-type]
            sheet=request.POST.get("sheet", ""),
            form=request.POST.get("format", ""),
            segment=request.POST.get("segment", ""),
            reason=request.POST.get("reason", ""),
        )
    except ExportRefused as refused:
        messages.error(request, str(refused))
        return None
