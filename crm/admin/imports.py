"""Imports: send a file, say what its columns are, check, run, follow, undo."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.decorators import display

from crm.admin.base import ReadOnlyAdmin, cut_cell
from crm.admin.import_columns import describe_columns, read_columns
from crm.bell import ring_on_commit
from crm.imports import jobs
from crm.imports.cells import DATE_STYLES
from crm.imports.files import FileRefused
from crm.imports.jobs import ImportRefused
from crm.imports.mapping import MappingRefused
from crm.imports.problems import list_problem_lines
from crm.models import Catalog, ImportJob

RIGHT: Final = "crm.add_importjob"
POLL_S: Final = 2
# Refused rows shown on the page; the file has all of them.
MAX_SHOWN: Final = 20
LABELS: Final = {
    "Waits for its columns": "info",
    "Is checked": "info",
    "Checked": "info",
    "Runs": "info",
    "Done": "success",
    "Canceled": "warning",
    "Failed": "danger",
    "Is undone": "warning",
    "Undone": "warning",
}
Deed = Callable[[HttpRequest, ImportJob], None]


class Echo:
    """A file that hands back what is written, for a CSV line by line."""

    def write(self, text: str) -> str:
        return text


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnlyAdmin):
    list_display = (
        "file_name",
        "shown_kind",
        "shown_state",
        "rows_done",
        "rows_bad",
        "made_by",
        "created_at",
    )
    list_filter = ("kind", "state")
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = "Send a CSV or Excel file of contacts, events or catalog items."

    @admin.display(description="Holds")
    def shown_kind(self, job: ImportJob) -> str:
        return cut_cell(f"{job.get_kind_display()} {job.catalog}".strip())

    @display(description="State", label=LABELS)
    def shown_state(self, job: ImportJob) -> str:
        return job.get_state_display()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(RIGHT))

    def get_urls(self) -> list[URLPattern]:
        def deed(name: str, view: Any) -> URLPattern:
            guarded = self.admin_site.admin_view(require_POST(view))
            return path(f"<int:pk>/{name}/", guarded, name=f"crm_importjob_{name}")

        return [
            deed("encoding", self.encoding_view),
            deed("columns", self.columns_view),
            deed("start", self.start_view),
            deed("cancel", self.cancel_view),
            deed("undo", self.undo_view),
            path(
                "<int:pk>/problems/",
                self.admin_site.admin_view(self.problems_view),
                name="crm_importjob_problems",
            ),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Choose a file and say what it holds."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            job = self._take_file(request)
            if job is not None:
                return redirect("admin:crm_importjob_change", job.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a file",
            "catalogs": Catalog.objects.order_by("slug"),
            "said": request.POST.get("holds") or request.GET.get("holds", ""),
        }
        return render(request, "crm/imports/send.html", context)

    def _take_file(self, request: HttpRequest) -> ImportJob | None:
        file = request.FILES.get("file")
        kind, _, catalog = request.POST.get("holds", "").partition(":")
        if file is None or file.file is None:
            messages.error(request, "Choose a file.")
            return None
        try:
            return jobs.start_import(
                cast(BinaryIO, file.file),
                kind=kind,
                catalog=catalog.replace("\x00", ""),
                name=file.name or "",
                actor=request.user,
                at=timezone.now(),
            )
        except FileRefused as refused:
            messages.error(request, str(refused))
            return None

    def change_view(
        self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return self._show(request, job)

    def _show(
        self, request: HttpRequest, job: ImportJob, columns: Any = None
    ) -> HttpResponse:
        """The page, or to htmx its moving part alone."""
        context = {
            "job": job,
            "tone": LABELS[job.get_state_display()],
            "poll_s": POLL_S,
            "problems": job.problems.order_by("line", "pk")[:MAX_SHOWN],
            "may_act": self.has_add_permission(request),
            "may_undo": job.state in job.UNDOABLE
            and not job.is_forgotten
            and job.undo_until > timezone.now(),
        }
        if request.htmx and job.is_active:  # type: ignore[attr-defined]
            return render(request, "crm/imports/_live.html", context)
        if job.state in job.OPEN:
            context |= describe_columns(job, columns)
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": job,
            "title": job.file_name,
            "date_styles": DATE_STYLES,
        }
        answer = render(request, "crm/imports/job.html", context)
        if request.htmx:  # type: ignore[attr-defined]
            # It came to an end: the page changes as a whole.
            answer["HX-Refresh"] = "true"
        return answer

    def _act(self, request: HttpRequest, pk: int, deed: Deed) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        job = get_object_or_404(ImportJob, pk=pk)
        try:
            deed(request, job)
        except MappingRefused as refused:
            for text in refused.messages[:10]:
                messages.error(request, text)
            return self._show(request, job, read_columns(request.POST, job))
        except (ImportRefused, FileRefused) as refused:
            messages.error(request, str(refused))
        return redirect("admin:crm_importjob_change", pk)

    def encoding_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, _choose_encoding)

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, _map_and_check)

    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, _start)

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, _cancel)

    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._act(request, pk, _undo)

    def problems_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refused rows as a CSV file, streamed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = get_object_or_404(ImportJob, pk=pk)
        answer = StreamingHttpResponse(_write_csv(job), content_type="text/csv")
        answer["Content-Disposition"] = f'attachment; filename="refused-{job.pk}.csv"'
        return answer  # type: ignore[return-value]


def _write_csv(job: ImportJob) -> Iterator[str]:
    # So that Excel reads it as UTF-8.
    yield "\ufeff"
    writer = csv.writer(Echo())
    for line in list_problem_lines(job):
        yield writer.writerow(line)


def _choose_encoding(request: HttpRequest, job: ImportJob) -> None:
    jobs.choose_encoding(job, request.POST.get("encoding", ""))


def _map_and_check(request: HttpRequest, job: ImportJob) -> None:
    jobs.map_columns(
        job,
        read_columns(request.POST, job),
        dates=request.POST.get("dates", "iso"),
        event_name=request.POST.get("event_name", ""),
    )
    jobs.start_check(job, actor=request.user, at=timezone.now())
    ring_on_commit(jobs.BELL)


def _start(request: HttpRequest, job: ImportJob) -> None:
    jobs.start_run(job, actor=request.user, at=timezone.now())
    ring_on_commit(jobs.BELL)


def _cancel(request: HttpRequest, job: ImportJob) -> None:
    jobs.cancel_import(job, actor=request.user, at=timezone.now())
    messages.success(request, "Stopped. What was taken in stays until it is undone.")


def _undo(request: HttpRequest, job: ImportJob) -> None:
    jobs.start_undo(job, actor=request.user, at=timezone.now())
    ring_on_commit(jobs.BELL)
