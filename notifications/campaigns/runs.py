"""Runs: find the next one, take it once, write its deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab_parser
from django.core.exceptions import ValidationError
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule

from crm.clock import read_clock
from crm.models.audit import record_audit
from notifications.campaigns.audience import build_audience, build_local_audience
from notifications.campaigns.schedule import (
    CronTimes,
    find_latest,
    find_next_cron,
    find_next_interval,
)
from notifications.decisioning.zones import find_zone
from notifications.delivery.plan import plan_deliveries
from notifications.models import Alert, Campaign, CampaignVersion, Delivery
from notifications.models.campaign import IllegalTransitionError
from segments.models import Segment

SECONDS = {
    IntervalSchedule.DAYS: 86_400,
    IntervalSchedule.HOURS: 3_600,
    IntervalSchedule.MINUTES: 60,
    IntervalSchedule.SECONDS: 1,
}

# A run begins within a tick; a span of runs longer than this was missed.
MISSED_AFTER = timedelta(minutes=1)

# The first zone to reach a wall time is 14 hours ahead of UTC: a campaign at
# local times is planned a little before that.
LOCAL_LEAD = timedelta(hours=15)
# The last one is 12 hours behind.
LAST_ZONE = timedelta(hours=12)
MISSED = (
    "nothing ran when it was due ({:%-d %b %Y, %H:%M} UTC), and every message would "
    "have expired. Nobody was planned. Resume it to send it now."
)


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


def check_times(version: CampaignVersion, *, at: datetime) -> None:
    """Raise ValidationError naming the field by which no run could ever start."""
    if find_zone(version.time_zone) is None:
        raise ValidationError({"time_zone": "This is no time zone. Choose a city."})
    try:
        find_first_run(version, at=at)
    except (ValueError, ParseException) as error:
        local = version.kind == CampaignVersion.Kind.LOCAL
        field = "local_send_at" if local else "crontab"
        raise ValidationError({field: f"It never comes: {error}"}) from error


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
    moves `next_run_at`, in the same transaction that writes its deliveries. One that
    cannot start is set aside, so that it stops no other.
    """
    planned = 0
    for campaign in Campaign.objects.due(read_clock()).with_definition():
        try:
            with transaction.atomic():
                planned += _start_run(campaign)
        except (ValueError, LookupError, ParseException) as error:
            # Its definition is at fault: a zone, a time, a crontab, no sender.
            set_aside_campaign(campaign, fault=str(error))
    return planned


def set_aside_campaign(campaign: Campaign, *, fault: str) -> None:
    """Pause it and tell staff; nothing to do where they were quicker."""
    reason = f"It cannot start: {fault}"[:300]
    try:
        with transaction.atomic():
            campaign.pause(at=read_clock(), reason=reason)
            record_audit(actor="schedule", action="paused", on=campaign, reason=reason)
    except IllegalTransitionError:
        return
    Alert.objects.raise_once(
        cause=f"campaign:{campaign.pk}:schedule", text=f"{campaign.name}: {reason}"
    )


def _start_run(campaign: Campaign) -> int:
    version, due = campaign.current_version, campaign.next_run_at
    if version is None or due is None:
        return 0
    if version.segment is not None and version.segment.state == Segment.State.FAILED:
        raise LookupError(f"the segment “{version.segment}” could not be built.")
    if version.kind == CampaignVersion.Kind.RECURRING:
        return _start_recurring(campaign, version, due=due)
    if is_too_late(version, due=due, at=read_clock()):
        raise LookupError(MISSED.format(due))
    if not campaign.start_run(due=due, next_run_at=None):
        return 0
    if version.kind == CampaignVersion.Kind.LOCAL:
        return plan_deliveries(version, build_local_audience(version, occurrence=""))
    return plan_deliveries(version, build_audience(version, occurrence="", due=due))


def is_too_late(version: CampaignVersion, *, due: datetime, at: datetime) -> bool:
    """Whether each message of a one-off campaign would expire at once."""
    ends = due + timedelta(seconds=version.ttl_s)
    if version.kind == CampaignVersion.Kind.LOCAL:
        ends += LOCAL_LEAD + LAST_ZONE
    if version.offer_ends_at is not None:
        ends = min(ends, version.offer_ends_at)
    return ends <= at


def _start_recurring(
    campaign: Campaign, version: CampaignVersion, *, due: datetime
) -> int:
    """Plan the latest run that has come, if its messages have time left.

    Runs missed while nothing ran are not made up for one by one. The latest alone is
    planned, and not even that where everybody's message would expire at once: it is
    skipped, staff see why, and the next is the first after now.
    """
    now = read_clock()
    if version.offer_ends_at and version.offer_ends_at <= now:
        raise LookupError("its offer is over.")
    latest = find_latest(
        lambda after: find_next_run(version, after=after, anchor=due), first=due, at=now
    )
    following = find_next_run(version, after=now, anchor=due)
    if not campaign.start_run(due=due, next_run_at=following):
        return 0
    too_late = latest + timedelta(seconds=version.ttl_s) <= now
    if too_late or latest - due > MISSED_AFTER:
        note_missed_runs(campaign, first=due, latest=latest, is_skipped=too_late)
    if too_late:
        return 0
    occurrence = f"{latest:%Y-%m-%dT%H:%M:%SZ}"
    return plan_deliveries(
        version, build_audience(version, occurrence=occurrence, due=latest)
    )


def note_missed_runs(
    campaign: Campaign, *, first: datetime, latest: datetime, is_skipped: bool
) -> None:
    """Tell staff which runs never were, and why: an alert and the audit trail."""
    spans = f"{first:%-d %b %Y, %H:%M} UTC"
    if first != latest:
        spans = f"{spans} to {latest:%-d %b %Y, %H:%M} UTC"
    reason = f"Nothing ran when its runs were due ({spans}). "
    reason += (
        "They are skipped: their messages would have expired."
        if is_skipped
        else "Only the latest is made up for."
    )
    record_audit(actor="schedule", action="missed", on=campaign, reason=reason)
    Alert.objects.raise_once(
        cause=f"campaign:{campaign.pk}:missed", text=f"{campaign.name}: {reason}"[:500]
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
        if Delivery.objects.open().filter(campaign=campaign).exists():
            continue
        try:
            campaign.finish(at=at)
        except IllegalTransitionError:
            # Staff, or another tick, were quicker.
            continue
        finished += 1
    return finished
