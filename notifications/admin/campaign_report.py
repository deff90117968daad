"""The report of one campaign: ladder, first days, money, and why not."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from crm.clock import read_clock
from notifications.admin.campaign_page import (
    STATE_LABELS,
    describe_page,
    find_campaign,
)
from notifications.admin.charts import build_day_chart
from notifications.analytics.definitions import DEFINITIONS
from notifications.analytics.figures import CampaignReport
from notifications.analytics.metrics import campaign_report, daily_series
from notifications.campaigns.summary import describe_campaign, describe_period
from notifications.models import Campaign, Delivery
from notifications.reasons import name_reason

# Seconds between two looks at a live campaign.
QUICK_S = 2
SLOW_S = 10
# Messages above which a count takes long enough to ask for it less often.
MANY = 100_000


def show_report(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """The page; to htmx, while it runs, the part that moves."""
    campaign = find_campaign(model_admin, request, pk)
    context = describe_report(campaign)
    if request.htmx:
        answer = render(request, "notifications/_report_live.html", context)
        if not context["is_live"]:
            # The buttons around it changed as well.
            answer["HX-Refresh"] = "true"
        return answer
    context |= describe_page(model_admin, request, campaign, "report")
    context |= {
        "chart": build_day_chart(daily_series(campaign)),
        "summary": describe_campaign(campaign),
    }
    return render(request, "notifications/report.html", context)


def describe_report(campaign: Campaign) -> dict[str, Any]:
    """What moves while it runs; two queries."""
    report = campaign_report(campaign, at=read_clock())
    waiting = report.pending + report.in_work
    return {
        "campaign": campaign,
        "version": campaign.current_version,
        "state_label": STATE_LABELS[campaign.state],
        "report": report,
        "ladder": build_ladder(report),
        "ends": list_ends(report),
        "reasons": list_reasons(report),
        "open": waiting,
        "done_pct": (report.planned - waiting) * 100 // max(report.planned, 1),
        "is_live": campaign.state in (Campaign.State.RUNNING, Campaign.State.SCHEDULED),
        "poll_s": QUICK_S if is_moving(campaign, report) else SLOW_S,
        "median": describe_span(report.conversion_median_s),
        "list_url": reverse("admin:notifications_delivery_changelist"),
    }


def is_moving(campaign: Campaign, report: CampaignReport) -> bool:
    """Something is about to change: rows are open, or the first run is due."""
    waits = campaign.state == Campaign.State.SCHEDULED
    if report.planned > MANY:
        return False
    return bool(report.pending or report.in_work or waits)


def build_ladder(report: CampaignReport) -> list[dict[str, Any]]:
    """Each rung with its share of the first and of the one before it."""
    rungs = []
    top = report.ladder[0][1]
    before: int | None = None
    for name, count in report.ladder:
        rungs.append(
            {
                "name": name,
                "label": DEFINITIONS[name].label,
                "meaning": DEFINITIONS[name].numerator,
                "count": count,
                "width_pct": round(count * 100 / top) if top else 0,
                "step_pct": round(count * 100 / before) if before else None,
            }
        )
        before = count
    return rungs


def list_ends(report: CampaignReport) -> list[dict[str, Any]]:
    """Where everybody else is; with the sent ones they add up to the planned."""
    names = ("pending", "in_work", "skipped", "failed", "cancelled", "expired")
    names += ("unknown", "held_out", "quarantined")
    return [
        {
            "label": DEFINITIONS[name].label if name in DEFINITIONS else name,
            "count": getattr(report, name),
            "url": list_url(report.campaign_id, state=name),
        }
        for name in names
        if getattr(report, name)
    ]


def list_reasons(report: CampaignReport) -> list[dict[str, Any]]:
    found = (*report.failures, *report.skips, *report.cancellations, *report.waits)
    return [
        {
            "state": item.state,
            "state_name": Delivery.State(item.state).label,
            "reason": name_reason(item.reason),
            "sentence": item.sentence,
            "count": item.count,
            "url": list_url(report.campaign_id, state=item.state, reason=item.reason),
        }
        for item in found
    ]


def list_url(campaign_id: int, **asked: str) -> str:
    # "In work" is two states of one moment: the list shows all of the campaign.
    asked = {k: v for k, v in asked.items() if v != "in_work"}
    base = reverse("admin:notifications_delivery_changelist")
    return f"{base}?{urlencode({'campaign': campaign_id, **asked})}"


def describe_span(seconds: float | None) -> str:
    """A median to the nearest minute, hour or day."""
    if seconds is None:
        return ""
    for unit_s in (86_400, 3_600, 60):
        if seconds >= 2 * unit_s:
            return describe_period(round(seconds / unit_s) * unit_s)
    return describe_period(max(round(seconds / 60), 1) * 60)
