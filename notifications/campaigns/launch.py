"""Launch, pause, resume, cancel: staff's hands on a campaign, each one function."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.clock import read_clock
from crm.models.audit import record_audit
from notifications.campaigns.compose import as_user
from notifications.campaigns.runs import (
    check_times,
    find_first_run,
    is_too_late,
)
from notifications.models import Campaign, CampaignVersion, Delivery


def launch_campaign(campaign: Campaign, *, by: Any) -> Campaign:
    """Draft → scheduled or running. Raises ValidationError naming what is missing."""
    version = campaign.current_version
    if version is None:
        raise ValidationError("There is nothing to launch yet: save it first.")
    at = read_clock()
    _check_complete(version, at=at)
    with transaction.atomic():
        campaign.schedule(
            at=at, by=as_user(by), next_run_at=find_first_run(version, at=at)
        )
        record_audit(
            actor=by,
            action="launched",
            on=campaign,
            changes={"version": version.number},
        )
    return campaign


def _check_complete(version: CampaignVersion, *, at: datetime) -> None:
    faults: dict[str, str] = {}
    if version.template_version_id is None:
        faults["title"] = "Write the message first."
    if version.sender_id is None:
        faults["sender"] = f"There is no sender for {version.channel} yet."
    if version.offer_ends_at and version.offer_ends_at <= at:
        faults["offer_ends_at"] = "The offer is over already."
    if faults:
        raise ValidationError(faults)
    version.full_clean(exclude=["created_by"])
    check_times(version, at=at)


def pause_campaign(campaign: Campaign, *, by: Any, reason: str = "") -> Campaign:
    """Stop new sends at once; rows in hand stop at the gate."""
    with transaction.atomic():
        campaign.pause(at=read_clock(), reason=reason or "Paused by staff.")
        record_audit(actor=by, action="paused", on=campaign, reason=reason)
    return campaign


def resume_campaign(campaign: Campaign, *, by: Any) -> Campaign:
    """Go on with the rest; what expired meanwhile ends as expired. A campaign whose
    one time was missed is sent now."""
    with transaction.atomic():
        at, rows = read_clock(), Campaign.objects.select_for_update(no_key=True)
        campaign.refresh_from_db(fields=["next_run_at"], from_queryset=rows)
        campaign.resume(next_run_at=find_resumed_run(campaign, at=at))
        record_audit(actor=by, action="resumed", on=campaign)
    return campaign


def find_resumed_run(campaign: Campaign, *, at: datetime) -> datetime | None:
    """When its next run is due once it goes on. Raises ValidationError where there
    can be none: its offer is over, or its hour has passed all around the world."""
    version, due = campaign.current_version, campaign.next_run_at
    one_off = (CampaignVersion.Kind.ONCE, CampaignVersion.Kind.LOCAL)
    if version is None or due is None or version.kind not in one_off:
        return due
    if not is_too_late(version, due=due, at=at):
        return due
    if version.kind == CampaignVersion.Kind.LOCAL:
        message = "Its time has passed everywhere. Cancel it, make a new one."
        raise ValidationError(message)
    if is_too_late(version, due=at, at=at):
        raise ValidationError("Its offer is over. Cancel it, make a new one.")
    return at


def cancel_campaign(campaign: Campaign, *, by: Any, reason: str = "") -> int:
    """End it for good; answers how many pending messages were cancelled."""
    with transaction.atomic():
        at = read_clock()
        campaign.cancel(at=at)
        stopped = (
            campaign.deliveries.pending()
            .filter(maybe_sent=False)
            .update(
                state=Delivery.State.CANCELLED,
                reason="paused",
                detail="Cancelled by staff.",
                finished_at=at,
            )
        )
        record_audit(
            actor=by,
            action="cancelled",
            on=campaign,
            reason=reason,
            changes={"cancelled": stopped},
        )
    return stopped
