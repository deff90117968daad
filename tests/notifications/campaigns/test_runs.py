"""Runs: what is due starts, whatever else is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from crm.models import AuditEntry, Device
from notifications.campaigns.launch import launch_campaign, resume_campaign
from notifications.campaigns.runs import start_due_runs
from notifications.models import Alert, Campaign, CampaignVersion, Delivery
from segments.editing import save_segment
from segments.membership import refresh_segment
from segments.models import Segment
from tests.factories import make_contact, make_device
from tests.notifications.factories import (
    make_campaign,
    make_reachable,
)

pytestmark = pytest.mark.django_db


def launch_due(**columns: Any) -> Campaign:
    """A launched campaign whose next run has come."""
    campaign = launch_campaign(make_campaign(**columns), by="test")
    due = timezone.now() - timedelta(seconds=1)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)
    return campaign


def break_zone(campaign: Campaign) -> None:
    version = CampaignVersion.objects.filter(campaign=campaign)
    version.update(time_zone="Mars/Olympus")


def break_wall_time(campaign: Campaign) -> None:
    version = CampaignVersion.objects.filter(campaign=campaign)
    version.update(kind="local", local_send_at="soon")


def lose_sender(campaign: Campaign) -> None:
    version = CampaignVersion.objects.filter(campaign=campaign)
    version.update(sender=None, channel="email")


@pytest.mark.parametrize("harm", [break_zone, break_wall_time, lose_sender])
def test_a_campaign_that_cannot_start_is_paused_and_stops_no_other(
    harm: Callable[[Campaign], None],
) -> None:
    make_reachable()
    daily = CrontabSchedule.objects.create(minute="0", hour="9")
    broken = launch_due(kind="recurring", crontab=daily)
    harm(broken)
    sound = launch_due()
    start_due_runs()
    assert sound.deliveries.count() == 1
    broken.refresh_from_db()
    assert broken.state == "paused"
    assert "cannot start" in broken.paused_reason
    assert Alert.objects.open().get().cause == f"campaign:{broken.pk}:schedule"


@pytest.mark.parametrize(
    ("_case", "columns", "field"),
    [
        ("a zone that is none", {"time_zone": "Mars/Olympus"}, "time_zone"),
        (
            "a local time that is none",
            {"kind": "local", "local_send_at": "2026-13-45 99:99"},
            "local_send_at",
        ),
    ],
)
def test_a_definition_that_could_never_start_is_refused(
    _case: str, columns: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        make_campaign(**columns)
    assert field in refusal.value.message_dict


def test_a_crontab_that_never_comes_is_refused() -> None:
    never = CrontabSchedule.objects.create(
        minute="0", hour="9", day_of_month="31", month_of_year="2"
    )
    with pytest.raises(ValidationError, match="none of these months"):
        make_campaign(kind="recurring", crontab=never)


def test_a_recurring_campaign_makes_up_for_one_missed_run_only() -> None:
    daily = CrontabSchedule.objects.create(minute="0", hour="9")
    campaign = launch_campaign(
        make_campaign(kind="recurring", crontab=daily), by="test"
    )
    make_reachable()
    now = timezone.now()
    missed = now.replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=5)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=missed)
    assert start_due_runs() == 1
    assert start_due_runs() == 0
    campaign.refresh_from_db()
    assert campaign.next_run_at is not None
    assert campaign.next_run_at > now
    row = campaign.deliveries.get()
    # The latest of the five or six, which still has time to be read.
    assert row.due_at == campaign.next_run_at - timedelta(days=1)
    assert row.occurrence == f"{row.due_at:%Y-%m-%dT%H:%M:%SZ}"
    assert row.expires_at > now
    assert "Only the latest is made up for." in Alert.objects.open().get().text


def make_hourly(**columns: Any) -> Campaign:
    hourly = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
    campaign = make_campaign(kind="recurring", interval=hourly, **columns)
    return launch_campaign(campaign, by="test")


def test_a_run_whose_messages_would_all_expire_is_skipped_and_staff_see_why() -> None:
    campaign = make_hourly(ttl_s=600)
    make_reachable()
    now = timezone.now()
    Campaign.objects.filter(pk=campaign.pk).update(
        next_run_at=now - timedelta(hours=3, minutes=30)
    )

    assert start_due_runs() == 0

    campaign.refresh_from_db()
    assert not campaign.deliveries.exists()
    assert (campaign.state, campaign.next_run_at) == (
        "running",
        now + timedelta(minutes=30),
    )
    alert = Alert.objects.open().get()
    assert alert.cause == f"campaign:{campaign.pk}:missed"
    assert "skipped: their messages would have expired" in alert.text
    entry = AuditEntry.objects.filter(action="missed").get()
    assert (entry.actor_name, alert.text) == (
        "schedule",
        f"{campaign.name}: {entry.reason}",
    )

    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=timezone.now())
    assert start_due_runs() == 1


def test_a_campaign_whose_one_time_was_missed_plans_nobody_until_staff_resume_it() -> (
    None
):
    make_reachable()
    campaign = launch_campaign(make_campaign(kind="once", ttl_s=600), by="test")
    due = timezone.now() - timedelta(minutes=11)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)

    assert start_due_runs() == 0

    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_run_at) == ("paused", due)
    assert "Nobody was planned" in campaign.paused_reason
    assert not Delivery.objects.exists()
    assert Alert.objects.open().get().cause == f"campaign:{campaign.pk}:schedule"
    assert AuditEntry.objects.filter(action="paused").count() == 1

    resume_campaign(campaign, by="test")
    assert campaign.state == "scheduled"
    assert start_due_runs() == 1
    assert Delivery.objects.get().expires_at > timezone.now()


def test_a_campaign_that_is_late_but_in_time_is_planned_as_ever() -> None:
    make_reachable()
    campaign = launch_campaign(make_campaign(kind="once", ttl_s=600), by="test")
    due = timezone.now() - timedelta(minutes=9)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)
    assert start_due_runs() == 1
    assert Delivery.objects.get().due_at == due


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"kind": "local", "local_send_at": "2030-01-01 09:00"}, "passed everywhere"),
        ({"kind": "once", "offer_ends_at": datetime(2030, 1, 1, tzinfo=UTC)}, "offer"),
    ],
)
def test_what_can_not_be_made_up_for_is_said_and_stays_paused(
    columns: dict[str, Any], said: str
) -> None:
    make_reachable()
    campaign = launch_campaign(make_campaign(**columns), by="test")
    past = {"local_send_at": "2020-01-01 09:00"}
    if columns["kind"] == "once":
        past = {"offer_ends_at": datetime(2020, 1, 1, tzinfo=UTC)}
    CampaignVersion.objects.filter(campaign=campaign).update(**past)
    due = timezone.now() - timedelta(days=30)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)
    campaign = Campaign.objects.get()
    assert start_due_runs() == 0
    with pytest.raises(ValidationError, match=said):
        resume_campaign(campaign, by="test")
    campaign.refresh_from_db()
    assert (campaign.state, campaign.next_run_at) == ("paused", due)
    assert not Delivery.objects.exists()


def test_a_run_a_little_late_is_nobodys_news() -> None:
    campaign = make_hourly()
    make_reachable()
    due = timezone.now() - timedelta(minutes=20)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)
    assert start_due_runs() == 1
    assert campaign.deliveries.get().due_at == due
    assert not Alert.objects.exists()


def test_a_recurring_campaign_whose_offer_is_over_is_set_aside() -> None:
    campaign = make_hourly(offer_ends_at=timezone.now() + timedelta(hours=1))
    make_reachable()
    CampaignVersion.objects.update(offer_ends_at=timezone.now())
    Campaign.objects.update(next_run_at=timezone.now())
    assert start_due_runs() == 0
    campaign.refresh_from_db()
    assert campaign.paused_reason == "It cannot start: its offer is over."


def test_a_run_planned_again_after_a_lost_answer_writes_nothing_twice() -> None:
    campaign = launch_due()
    make_reachable()
    due = Campaign.objects.get(pk=campaign.pk).next_run_at
    assert start_due_runs() == 1
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)
    assert start_due_runs() == 0
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("_case", "profile", "device", "gone", "zone"),
    [
        ("the profile's", "Asia/Tokyo", "Europe/Paris", "", "Asia/Tokyo"),
        ("no zone in the profile", "", "Europe/Paris", "", "Europe/Paris"),
        ("an unknown one in the profile", "GMT+99", "Europe/Paris", "", "Europe/Paris"),
        ("an unknown one in both", "GMT+99", "GMT-99", "", "America/New_York"),
        ("no device", "GMT+99", None, "", "America/New_York"),
        ("a device that is gone", "", None, "Europe/Paris", "America/New_York"),
    ],
)
def test_local_times_climb_the_ladder_to_the_first_known_zone(
    _case: str, profile: str, device: str | None, gone: str, zone: str
) -> None:
    person = make_contact(time_zone=profile)
    if device is not None:
        make_device(person, time_zone=device)
    if gone:
        make_device(person, time_zone=gone, state=Device.State.GONE)
    wall = datetime.now(UTC) + timedelta(days=2)
    campaign = launch_due(
        kind="local",
        local_send_at=f"{wall:%Y-%m-%d} 09:00",
        time_zone="America/New_York",
    )
    start_due_runs()
    assert campaign.deliveries.get().due_zone == zone


def make_unbuilt_segment() -> Segment:
    rule = {"version": 1, "root": {"type": "everyone"}}
    return save_segment(name="Everyone", rule=rule, actor="test")


def test_a_run_waits_until_its_segment_is_built() -> None:
    """Planned before, it would reach nobody and be finished."""
    person = make_contact()
    segment = make_unbuilt_segment()
    campaign = launch_campaign(make_campaign(segment=segment), by="test")
    assert start_due_runs() == 0
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.SCHEDULED
    refresh_segment(segment, at=timezone.now())
    assert start_due_runs() == 1
    assert campaign.deliveries.get().contact_id == person.pk


def test_a_run_whose_segment_could_not_be_built_is_set_aside() -> None:
    segment = make_unbuilt_segment()
    segment.fail_build("canceling statement due to statement timeout")
    campaign = launch_campaign(make_campaign(segment=segment), by="test")
    assert start_due_runs() == 0
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.PAUSED
    assert "could not be built" in campaign.paused_reason
    assert Alert.objects.open().count() == 1
