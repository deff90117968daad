"""The first page: what was sent, what it earned, what needs a human."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from crm.clock import read_clock
from crm.models import Contact
from notifications.admin.alert import find_page
from notifications.admin.charts import build_day_chart
from notifications.analytics.figures import Overview
from notifications.analytics.metrics import overview
from notifications.models import Campaign, Delivery, Sender, Switch
from notifications.reasons import name_reason
from segments.deadline import TooSlow
from segments.lifecycle_figures import StageCount, count_people
from segments.models import Segment

PERIODS_DAYS = (7, 30)
# Reasons in the last card.
SKIPS = 6


def describe_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's callback; who may not see campaigns gets the frame alone."""
    if not request.user.has_perm("notifications.view_campaign"):
        return context
    days = 30 if request.GET.get("days") == "30" else 7
    figures = overview(read_clock(), days)
    return {
        **context,
        "title": "Overview",
        "overview": figures,
        "periods": PERIODS_DAYS,
        "days": days,
        "cards": build_cards(figures),
        "chart": build_day_chart(figures.series if figures.totals.sent else ()),
        "skips": list_skips(figures),
        "stages": list_stages(request),
        "stopped": Switch.objects.stopped_scopes(),
        "needs": list_needs(request, figures),
        "steps": list_first_steps(request) if not figures.running else [],
        "sandbox": settings.SANDBOX,
        "may_compose": request.user.has_perm("notifications.add_campaign"),
        "may_segment": request.user.has_perm("segments.add_segment"),
    }


def build_cards(figures: Overview) -> list[dict[str, Any]]:
    now, before = figures.totals, figures.before
    return [
        {
            "label": "Sent",
            "value": now.sent,
            "change_pct": compare(now.sent, before.sent),
        },
        {
            "label": "Opened",
            "value": now.opened,
            "share": now.open_rate,
            "change_pct": compare(now.opened, before.opened),
        },
        {
            "label": "Converted",
            "value": now.converted,
            "share": now.conversion_rate,
            "change_pct": compare(now.converted, before.converted),
        },
    ]


def list_skips(figures: Overview) -> list[dict[str, Any]]:
    return [
        {
            "name": name_reason(item.reason),
            "reason": item.reason,
            "state": item.state,
            "state_name": Delivery.State(item.state).label,
            "sentence": item.sentence,
            "count": item.count,
        }
        for item in figures.skips[:SKIPS]
    ]


def list_stages(request: HttpRequest) -> list[StageCount]:
    """People per stage of the lifecycle; none where counting them took too long."""
    if not request.user.has_perm("segments.view_lifecycle"):
        return []
    try:
        return count_people()
    except TooSlow:
        return []


def compare(now: int, before: int) -> int | None:
    """Percent more than in the period before; None where there was nothing."""
    return round((now - before) * 100 / before) if before else None


def list_needs(request: HttpRequest, figures: Overview) -> list[dict[str, Any]]:
    """What waits for a human, each with the page to go to; the worst first."""
    alerts = [
        {
            "text": alert.text,
            "url": alert.url or find_page(alert.cause),
            "tone": "danger",
        }
        for alert in figures.alerts
    ]
    paused = [
        {
            "text": f"{line.name} is paused: {line.paused_reason}",
            "url": reverse(
                "admin:notifications_campaign_report", args=[line.campaign_id]
            ),
            "tone": "warning",
        }
        for line in figures.running
        if line.state == Campaign.State.PAUSED
    ]
    return [*alerts, *_list_quarantined(request, figures), *paused]


def _list_quarantined(request: HttpRequest, figures: Overview) -> list[dict[str, Any]]:
    found = []
    if figures.quarantined_deliveries:
        page = reverse("admin:notifications_delivery_changelist")
        text = "Set aside after stopping a worker three times: "
        text += f"{figures.quarantined_deliveries:,} of the messages."
        found.append(
            {"text": text, "url": f"{page}?state=quarantined", "tone": "danger"}
        )
    if figures.quarantined_events and request.user.has_perm("crm.view_pendingevent"):
        page = reverse("admin:crm_pendingevent_changelist")
        text = f"{figures.quarantined_events:,} events could not be taken in."
        found.append({"text": text, "url": page, "tone": "warning"})
    return found


def list_first_steps(request: HttpRequest) -> list[dict[str, Any]]:
    """What is left to do on a new installation; empty once a campaign was made."""
    if Campaign.objects.exists():
        return []
    return [
        {
            "text": "Bring in people: send events to the API, or import them",
            "done": Contact.objects.exists(),
            "url": reverse("admin:crm_contact_changelist"),
        },
        {
            "text": "Choose where messages leave: the sandbox, or your Firebase key",
            "done": Sender.objects.exists(),
            "url": reverse("admin:notifications_sender_changelist"),
        },
        {
            "text": "Say who: build a segment",
            "done": Segment.objects.exists(),
            "url": reverse("admin:segments_segment_changelist"),
        },
        {
            "text": "Write the first campaign, preview it, launch it",
            "done": False,
            "url": reverse("admin:notifications_campaign_add"),
        },
    ]
