"""Data quality: one page in seven parts; what is doubtful, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from crm.admin.base import ReadOnlyAdmin
from crm.admin.charts import draw_days
from crm.admin.merge import RIGHT
from crm.bell import ring_bell
from crm.models import DuplicateSuspect, EventDay, Order
from crm.purchases.amounts import show_money
from crm.quality.duplicates import dismiss_duplicate
from crm.quality.plan import find_gaps
from crm.quality.properties import Properties, read_examples, read_properties
from crm.quality.report import (
    ApiClient,
    Names,
    Refusal,
    Volume,
    read_clients,
    read_names,
    read_refusals,
    read_suspects,
    read_volume,
)

COUNT_TASK = "crm.tasks.count_events"
# Lines of a table; the rest is told as a number.
MAX_LINES = 100
ALL_COLOUR = "#4f7df3"
Context = dict[str, Any]


@admin.register(EventDay)
class EventDayAdmin(ReadOnlyAdmin):
    """The list is a page of its own; `?part=` names the part that is open."""

    def changelist_view(
        self, request: HttpRequest, extra_context: Context | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Data quality",
            **describe_page(request),
        }
        return render(request, "crm/quality/page.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "count/", view(require_POST(self.count_view)), name="crm_eventday_count"
            ),
            path(
                "examples/",
                view(require_safe(self.examples_view)),
                name="crm_eventday_examples",
            ),
            path(
                "apart/<int:pk>/",
                view(require_POST(self.apart_view)),
                name="crm_eventday_apart",
            ),
            *super().get_urls(),
        ]

    def count_view(self, request: HttpRequest) -> HttpResponse:
        """Ring for the counting, which is also done every ten minutes."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ring_bell(COUNT_TASK)
        messages.success(request, "A worker counts the events now.")
        return redirect("admin:crm_eventday_changelist")

    def examples_view(self, request: HttpRequest) -> HttpResponse:
        """Values of one property; a piece of the page for htmx, a page without."""
        if not request.user.has_perm("crm.view_event"):
            raise PermissionDenied
        name, key = request.GET.get("name", ""), request.GET.get("property", "")
        context: Context = {
            "name": name,
            "property": key,
            "examples": read_examples(name, key, now=timezone.now()),
        }
        if request.htmx:  # type: ignore[attr-defined]
            return render(request, "crm/quality/_examples.html", context)
        context |= self.admin_site.each_context(request)
        context |= {"opts": self.opts, "title": f"{name}: {key}"}
        return render(request, "crm/quality/examples.html", context)

    def apart_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """These two are two people."""
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        suspect = get_object_or_404(DuplicateSuspect, pk=pk)
        dismiss_duplicate(suspect, actor=request.user, at=timezone.now())
        messages.success(request, "Kept as two people; they are not suggested again.")
        return redirect(f"{reverse('admin:crm_eventday_changelist')}?part=people")


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the page may tell: its tabs show how much is in each."""

    volume: Volume
    names: Names
    properties: Properties
    suspects: Sequence[DuplicateSuspect]
    clients: Sequence[ApiClient]
    refusals: Sequence[Refusal]
    orders: Sequence[Order]

    def count(self) -> dict[str, int]:
        return {
            "volume": len(self.volume.findings),
            "names": len(self.names.similar),
            "properties": self.properties.findings,
            "people": len(self.suspects),
            "clocks": sum(client.is_doubtful for client in self.clients),
            "rejected": len(self.refusals),
            "orders": len(self.orders),
        }


def read_findings() -> Findings:
    now = timezone.now()
    volume = read_volume(now=now)
    return Findings(
        volume=volume,
        names=read_names(volume, now=now),
        properties=read_properties(now=now),
        suspects=read_suspects(),
        clients=read_clients(now=now),
        refusals=read_refusals(),
        orders=list(Order.objects.doubtful()[:MAX_LINES]),
    )


def describe_page(request: HttpRequest) -> Context:
    """All parts are read, one is shown."""
    found = read_findings()
    part = request.GET.get("part", "")
    part = part if part in PARTS else "volume"
    counts = found.count()
    describe = PARTS[part][1]
    return {
        "part": part,
        "tabs": [(key, label, counts[key]) for key, (label, _) in PARTS.items()],
        "shown": f"crm/quality/_{part}.html",
        "may_fix": request.user.has_perm("crm.add_datafix"),
        **describe(request, found),
    }


def describe_volume(request: HttpRequest, found: Findings) -> Context:
    volume, chosen = found.volume, request.GET.get("name", "")
    series = next((one for one in volume.series if one.name == chosen), None)
    values = series.counts if series else volume.totals
    label = series.name if series else "All events"
    chart = draw_days(volume.days, [(label, ALL_COLOUR, values)])
    return {
        "volume": volume,
        "chart": chart if any(values) else {},
        "chosen": series,
        "lines": volume.series[:MAX_LINES],
        "left": max(0, len(volume.series) - MAX_LINES),
    }


def describe_names(request: HttpRequest, found: Findings) -> Context:
    names = found.names
    return {
        "similar": names.similar[:MAX_LINES],
        "new": names.new[:MAX_LINES],
        "gaps": find_gaps(),
        "may_plan": request.user.has_perm("crm.add_plannedevent"),
    }


def describe_properties(request: HttpRequest, found: Findings) -> Context:
    properties = found.properties
    return {
        "clashes": properties.clashes[:MAX_LINES],
        "similar": properties.similar[:MAX_LINES],
        "new": properties.new[:MAX_LINES],
        "may_look": request.user.has_perm("crm.view_event"),
    }


def describe_people(request: HttpRequest, found: Findings) -> Context:
    return {"suspects": found.suspects, "may_merge": request.user.has_perm(RIGHT)}


def describe_clocks(request: HttpRequest, found: Findings) -> Context:
    return {"clients": found.clients[:MAX_LINES]}


def describe_rejected(request: HttpRequest, found: Findings) -> Context:
    return {"refusals": found.refusals}


def describe_orders(request: HttpRequest, found: Findings) -> Context:
    return {
        "orders": [
            (order, show_money(order.excess, order.currency)) for order in found.orders
        ],
        "may_see": request.user.has_perm("crm.view_order"),
    }


# Key of the address → words on the tab, and what its template is given.
PARTS: dict[str, tuple[str, Callable[[HttpRequest, Findings], Context]]] = {
    "volume": ("Volume", describe_volume),
    "names": ("Names", describe_names),
    "properties": ("Properties", describe_properties),
    "people": ("People", describe_people),
    "clocks": ("Clocks", describe_clocks),
    "rejected": ("Rejected", describe_rejected),
    "orders": ("Orders", describe_orders),
}
