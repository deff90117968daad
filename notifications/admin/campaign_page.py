"""What every page around one campaign shows: its name, state, tabs and buttons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from notifications.models import Campaign, CampaignVersion, Sender

STATE_LABELS = {
    "draft": "neutral",
    "scheduled": "info",
    "running": "success",
    "paused": "warning",
    "finished": "primary",
    "cancelled": "danger",
}
LAUNCH = "notifications.launch_campaign"


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    title: str
    url: str


def find_campaign(
    model_admin: Any, request: HttpRequest, pk: int, *, right: str = "view"
) -> Campaign:
    """The campaign, for who has the right: view, change or launch."""
    allowed = {
        "view": model_admin.has_view_permission,
        "change": model_admin.has_change_permission,
    }
    if right == "launch":
        if not request.user.has_perm(LAUNCH):
            raise PermissionDenied
    elif not allowed[right](request):
        raise PermissionDenied
    return get_object_or_404(Campaign.objects.with_definition(), pk=pk)


def describe_page(
    model_admin: Any, request: HttpRequest, campaign: Campaign, tab: str
) -> dict[str, Any]:
    """The context of the header, and of the admin's frame around it."""
    State = Campaign.State
    may_launch = request.user.has_perm(LAUNCH)
    may_change = model_admin.has_change_permission(request, campaign)
    deeds = []
    if may_launch and campaign.state in (State.SCHEDULED, State.RUNNING):
        deeds.append(("pause", "Pause", "pause"))
    if may_launch and campaign.state == State.PAUSED:
        deeds.append(("resume", "Resume", "play_arrow"))
    return {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": campaign.name,
        "campaign": campaign,
        "version": campaign.current_version,
        "state_label": STATE_LABELS[campaign.state],
        "is_sandbox": is_sandbox(campaign.current_version),
        "tabs": list_tabs(campaign, may_change=may_change),
        "tab": tab,
        "deeds": deeds,
        "may_launch": may_launch,
        "is_over": campaign.state in Campaign.FINAL,
        "may_change": may_change,
        "may_cancel": may_launch and campaign.state not in Campaign.FINAL,
    }


def list_tabs(campaign: Campaign, *, may_change: bool) -> list[Tab]:
    pages = [
        ("preview", "Preview and test"),
        ("check", "Check and launch" if campaign.state == "draft" else "Check"),
        ("report", "Report"),
    ]
    if may_change:
        pages.insert(0, ("edit", "Edit"))
    return [
        Tab(
            key,
            title,
            reverse(
                f"admin:notifications_campaign_{'change' if key == 'edit' else key}",
                args=[campaign.pk],
            ),
        )
        for key, title in pages
    ]


def is_sandbox(version: CampaignVersion | None) -> bool:
    """Whether its messages would reach no phone."""
    if version is None:
        return False
    sender = version.sender or Sender.objects.default_for(version.channel)
    return sender is not None and sender.kind == Sender.Kind.SANDBOX
