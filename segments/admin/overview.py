"""The first page of a segment: size and days, reach, overlap, users, progress."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from crm.admin.charts import draw_days
from crm.clock import read_clock
from crm.ports.audiences import audience_providers
from segments.admin.pages import describe_page, find_segment
from segments.deadline import TooSlow, stop_after
from segments.figures import (
    LIMIT_MS,
    DayFigures,
    count_size,
    measure_overlap,
    pick_sample,
    read_days,
    read_progress,
)
from segments.membership import member_ids
from segments.models import Segment
from segments.uses import list_uses

PERIODS_DAYS = (30, 90)
# Seconds between two looks at a build.
POLL_S = 2
BLUE, GREEN, ORANGE = "#4f7df3", "#0ea5a4", "#e8871e"


def show_overview(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    segment = find_segment(admin, request, pk)
    said = request.GET
    context = {
        **describe_page(admin, request, segment, "overview"),
        **describe_progress(segment),
        **describe_days(segment, 90 if said.get("days") == "90" else PERIODS_DAYS[0]),
        **describe_reach(segment, said.get("subject", "")),
        **describe_overlap(segment, said.get("with", "")),
        "sample": pick_sample(segment),
        "uses": list_uses(segment),
    }
    return render(request, "segments/overview.html", context)


def show_progress(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The build alone, for a page that waits; the page itself once it has ended."""
    segment = find_segment(admin, request, pk)
    part = "_badge" if request.GET.get("part") == "badge" else "_progress"
    context = {**describe_progress(segment), "segment": segment}
    answer = render(request, f"segments/{part}.html", context)
    if context["progress"] is None and part == "_progress":
        answer["HX-Refresh"] = "true"
    return answer


def describe_progress(segment: Segment) -> dict[str, Any]:
    progress = read_progress(segment, at=read_clock())
    return {"progress": progress, "poll_s": POLL_S}


def describe_days(segment: Segment, days: int) -> dict[str, Any]:
    """Size now, and by day; what took too long is left out and said."""
    context: dict[str, Any] = {"days": days, "periods": PERIODS_DAYS}
    try:
        size = count_size(segment)
        found = read_days(segment, size=size.people, at=read_clock(), days=days)
    except TooSlow:
        return {**context, "days_stopped": True}
    return {**context, "size": size, "figures": found[::-1], **draw_charts(found)}


def draw_charts(days: list[DayFigures]) -> dict[str, Any]:
    on = [day.on for day in days]
    return {
        "size_chart": draw_days(on, [("People", BLUE, [day.size for day in days])]),
        "moves_chart": draw_days(
            on,
            [
                ("Entered", GREEN, [day.entered for day in days]),
                ("Left", ORANGE, [day.left for day in days]),
            ],
        ),
    }


def describe_reach(segment: Segment, subject: str) -> dict[str, Any]:
    """Per channel, for a message about one subject; the usual where none is said."""
    providers = audience_providers()
    subjects = [pair for one in providers for pair in one.list_subjects()]
    chosen = subject if subject in dict(subjects) else next(iter(dict(subjects)), "")
    context: dict[str, Any] = {"subjects": subjects, "subject": chosen}
    people = member_ids(segment)
    try:
        with stop_after(LIMIT_MS):
            context["reach"] = [
                channel
                for one in providers
                for channel in one.measure_reach(
                    people, subject=chosen, at=read_clock()
                )
            ]
    except TooSlow:
        context["reach_stopped"] = True
    return context


def describe_overlap(segment: Segment, slug: str) -> dict[str, Any]:
    others = Segment.objects.exclude(pk=segment.pk).order_by("name")
    context: dict[str, Any] = {"others": others, "with": slug}
    other = others.filter(slug=slug).first()
    if other is None:
        return context
    try:
        return {**context, "other": other, "overlap": measure_overlap(segment, other)}
    except TooSlow:
        return {**context, "other": other, "overlap_stopped": True}
