"""Runs: find the next one, take it once, write its deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import crontab_parser
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from notifications.campaigns.audience import build_audience, build_local_audience
from notifications.campaigns.schedule import (
    CronTimes,
    find_next_cron,
    find_next_interval,
)
from notifications.decisioning.facts import read_clock
from notifications.delivery.plan import plan_deliveries
from notifications.models import Campaign, CampaignVersion, Delivery

SECONDS = {
    IntervalSchedule.DAYS: 86_400,
    IntervalSchedule.HOURS: 3_600,
    IntervalSchedule.MINUTES: 60,
    IntervalSchedule.SECONDS: 1,
}

# The first zone to reach a wall time is 14 hours ahead of UTC: a campaign at
# local times is planned a little before that.
LOCAL_LEAD = timedelta(hours=15)


def find_first_run(version: CampaignVersion, *, at: datetime) -> datetime | None:
    """When the first run is due; None for campaigns that wait for a contact."""
    kind = CampaignVersion.Kind
    match version.kind:
        case kind.ONCE:
            return max(version.send_at or at, at)
        case kind.LOCAL:
            wall = datetime.strptime(  # noqa: DTZ007 - a wall time has no zone
                version.local_send_at, "%Y-%m-%d %H:%M"
            )
            return max(wall.replace(tzinfo=UTC) - LOCAL_LEAD, at)
        case kind.RECURRING:
            return find_next_run(version, after=at, anchor=version.send_at or at)
    return None


def find_next_run(
    version: CampaignVersion, *, after: datetime, anchor: datetime
) -> datetime | None:
    """The first run of a recurring campaign later than `after`; else None."""
    if version.crontab is not None:
        return find_next_cron(
            read_crontab(version.crontab), after=after, zone=ZoneInfo(version.time_zone)
        )
    if version.interval is not None:
        every_s = version.interval.every * SECONDS[version.interval.period]
        return find_next_interval(every_s, anchor=anchor, after=after)
    return None


def read_crontab(row: CrontabSchedule) -> CronTimes:
    """The fields of django-celery-beat's row as sets, parsed by celery."""
    return CronTimes(
        minutes=frozenset(crontab_parser(60).parse(row.minute)),
        hours=frozenset(crontab_parser(24).parse(row.hour)),
        days_of_month=frozenset(crontab_parser(31, 1).parse(row.day_of_month)),
        months=frozenset(crontab_parser(12, 1).parse(row.month_of_year)),
        days_of_week=frozenset(crontab_parser(7).parse(row.day_of_week)),
    )


def start_due_runs() -> int:
    """Plan every run whose time has come; answers how many deliveries are new.

    Any number of processes may call this at once: a run belongs to the one that
    moves `next_run_at`, in the same transaction that writes its deliveries.
    """
    planned = 0
    for campaign in Campaign.objects.due(read_clock()).with_definition():
        with transaction.atomic():
            planned += _start_run(campaign)
    return planned


def _start_run(campaign: Campaign) -> int:
    version, due = campaign.current_version, campaign.next_run_at
    if version is None or due is None:
        return 0
    following = None
    if version.kind == CampaignVersion.Kind.RECURRING:
        # Runs missed while nothing ran are not made up for, one by one: the next
        # is the first after now.
        following = find_next_run(version, after=read_clock(), anchor=due)
    if not campaign.start_run(due=due, next_run_at=following):
        return 0
    if version.kind == CampaignVersion.Kind.LOCAL:
        return plan_deliveries(version, build_local_audience(version, occurrence=""))
    recurring = version.kind == CampaignVersion.Kind.RECURRING
    occurrence = f"{due:%Y-%m-%dT%H:%M:%SZ}" if recurring else ""
    return plan_deliveries(
        version, build_audience(version, occurrence=occurrence, due=due)
    )


def finish_done_campaigns() -> int:
    """One-off campaigns with no row left to go anywhere are finished."""
    done = Campaign.objects.running().filter(
        next_run_at=None,
        current_version__kind__in=[
            CampaignVersion.Kind.ONCE,
            CampaignVersion.Kind.LOCAL,
        ],
    )
    finished = 0
    at = read_clock()
    for campaign in done:
        if not Delivery.objects.open().filter(campaign=campaign).exists():
            campaign.finish(at=at)
            finished += 1
    return finished
