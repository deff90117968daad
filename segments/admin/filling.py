"""Filling a static segment: a file or pasted lines, checked first, then taken in.

The check writes and keeps nothing: what is taken in is the list as it comes with the
second press, which the page still holds, where it names the people that were shown.
"""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO, cast

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from crm.clock import read_clock
from crm.imports.files import FileRefused
from segments.admin.pages import describe_page, find_segment, tell_gone
from segments.editing import ADD, NotFillable
from segments.filling import (
    BYTES_MAX,
    HOW,
    LINES_MAX,
    Listed,
    fill_segment,
    find_listed,
    measure_fill,
    read_list,
    read_pasted,
)
from segments.models import Segment

# Lines that name nobody, as far as the page shows them.
SHOWN_MAX = 1_000
FILL = "fill"


@tell_gone
def show_filling(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The form; to htmx what its list would do. 404 where a rule says who is in it."""
    segment = find_segment(admin, request, pk)
    if not admin.has_change_permission(request, segment):
        raise PermissionDenied
    if segment.kind != Segment.Kind.STATIC:
        raise Http404
    said = take_list(request, segment) if request.method == "POST" else {}
    if said.get("filled"):
        return answer_filled(request, segment)
    context = {
        **describe_page(admin, request, segment, "fill"),
        "ways": HOW,
        "how": read_how(request),
        "pasted": request.POST.get("pasted", ""),
        "lines_max": LINES_MAX,
        "bytes_max": BYTES_MAX,
        **said,
    }
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "segments/_filled.html", context)
    return render(request, "segments/fill.html", context)


def read_how(request: HttpRequest) -> str:
    said = request.POST.get("how", "")
    return said if said in HOW else ADD


def answer_filled(request: HttpRequest, segment: Segment) -> HttpResponse:
    url = reverse("admin:segments_segment_people", args=[segment.pk])
    if request.htmx:  # type: ignore[attr-defined]
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = url
        return answer
    return redirect(url)


def take_list(request: HttpRequest, segment: Segment) -> dict[str, Any]:
    """What the list would do, what is wrong with it, or that it was taken in."""
    how, file = read_how(request), request.FILES.get("file")
    try:
        if file is not None and file.file is not None:
            listed = find_listed(read_list(cast(BinaryIO, file.file)))
            origin = f"the file {(file.name or '')[-200:]}"
        else:
            pasted = request.POST.get("pasted", "")
            if not pasted.strip():
                return {"fault": "Choose a file, or paste one person a line."}
            listed = find_listed(read_pasted(pasted))
            origin = "a pasted list"
        checked = sign_list(listed, how)
        is_checked = request.POST.get("checked", "") == checked
        is_meant = request.POST.get("do") == FILL and listed.people
        if is_meant and is_checked:
            fill(request, segment, listed, how=how, origin=origin)
            return {"filled": True}
    except (FileRefused, NotFillable) as error:
        words = str(error)
        return {"fault": words[:1].upper() + words[1:]}
    return {
        "listed": listed,
        "checked": checked,
        "is_other": bool(is_meant),
        "outcome": measure_fill(segment, listed.people, how),
        "shown": listed.refused[:SHOWN_MAX],
        "left_out": max(len(listed.refused) - SHOWN_MAX, 0),
        "has_file": file is not None,
    }


def sign_list(listed: Listed, how: str) -> str:
    """What was shown and is taken in: another file or way is checked anew."""
    said = f"{how} {' '.join(map(str, listed.people))}"
    return hashlib.sha256(said.encode()).hexdigest()


def fill(
    request: HttpRequest, segment: Segment, listed: Listed, *, how: str, origin: str
) -> None:
    diff = fill_segment(
        segment,
        listed.people,
        how,
        actor=request.user,
        at=read_clock(),
        origin=origin.replace("\x00", ""),
    )
    words = f"{diff.entered:,} came and {diff.left:,} went."
    if listed.refused:
        words += f" {len(listed.refused):,} lines name nobody and were left out."
    messages.success(request, words)
