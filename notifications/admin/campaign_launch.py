"""Check, launch, pause, resume and cancel: one page and four buttons."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from crm.bell import ring_on_commit
from notifications.admin.campaign_checks import describe_checks
from notifications.admin.campaign_page import describe_page, find_campaign
from notifications.campaigns.checklist import check_campaign
from notifications.campaigns.launch import (
    cancel_campaign,
    launch_campaign,
    pause_campaign,
    resume_campaign,
)
from notifications.campaigns.summary import describe_campaign
from notifications.models import Campaign


def show_check(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Errors that block, warnings to look at, whom it reaches, and the button."""
    campaign = find_campaign(model_admin, request, pk)
    checklist = check_campaign(campaign)
    page = describe_page(model_admin, request, campaign, "check")
    may_change = page["may_change"]
    return render(
        request,
        "notifications/check.html",
        {
            **page,
            "errors": describe_checks(
                campaign, checklist.errors, may_change=may_change
            ),
            "warnings": describe_checks(
                campaign, checklist.warnings, may_change=may_change
            ),
            "reach": checklist.reach,
            "summary": describe_campaign(campaign),
            "is_draft": campaign.state == Campaign.State.DRAFT,
        },
    )


def post_launch(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find_campaign(model_admin, request, pk, right="launch")
    checklist = check_campaign(campaign)
    if checklist.errors:
        messages.error(request, f"{len(checklist.errors)} errors block the launch.")
        return redirect("admin:notifications_campaign_check", pk)
    try:
        launch_campaign(campaign, by=request.user)
    except ValidationError as error:
        return _refuse(request, campaign, error)
    ring_on_commit()
    reach = checklist.reach
    people = reach.audience if reach else 0
    size = f"{people:,} {'person' if people == 1 else 'people'}"
    if reach and reach.is_cut:
        size = f"more than {size}"
    if campaign.next_run_at:
        text = f"Launched for {size}; the first run is due "
        text += f"{campaign.next_run_at:%-d %b %Y, %H:%M} UTC."
    else:
        text = "Launched: it waits for contacts to start it."
    messages.success(request, text)
    return redirect("admin:notifications_campaign_report", pk)


def post_pause(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find_campaign(model_admin, request, pk, right="launch")
    try:
        pause_campaign(campaign, by=request.user, reason=request.POST.get("reason", ""))
    except ValidationError as error:
        return _refuse(request, campaign, error)
    waiting = campaign.deliveries.pending().count()
    messages.success(request, f"Paused; {waiting:,} messages wait.")
    return redirect("admin:notifications_campaign_report", pk)


def post_resume(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find_campaign(model_admin, request, pk, right="launch")
    try:
        resume_campaign(campaign, by=request.user)
    except ValidationError as error:
        return _refuse(request, campaign, error)
    ring_on_commit()
    waiting = campaign.deliveries.pending().count()
    messages.success(request, f"Resumed; {waiting:,} messages go on.")
    return redirect("admin:notifications_campaign_report", pk)


def post_cancel(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    campaign = find_campaign(model_admin, request, pk, right="launch")
    reason = request.POST.get("reason", "")
    try:
        stopped = cancel_campaign(campaign, by=request.user, reason=reason)
    except ValidationError as error:
        return _refuse(request, campaign, error)
    messages.success(request, f"Cancelled for good; {stopped:,} messages stay unsent.")
    return redirect("admin:notifications_campaign_report", pk)


def _refuse(
    request: HttpRequest, campaign: Campaign, error: ValidationError
) -> HttpResponse:
    for message in error.messages:
        messages.error(request, message)
    return redirect("admin:notifications_campaign_check", campaign.pk)
