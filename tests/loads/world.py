"""What is live while the load runs, and what must have come of it."""

from __future__ import annotations

from django.utils import timezone

from crm.models import Contact, Event, MessageKey, PendingEvent
from crm.models.partitions import ensure_partitions
from notifications.campaigns.launch import launch_campaign
from notifications.models import Campaign, Delivery
from segments.editing import save_segment
from segments.membership import refresh_segment
from segments.models import Membership, Segment
from tests.loads.stream import PURCHASE, TRIGGER, Stream
from tests.loads.waiting import wait_until
from tests.notifications.factories import make_campaign

# After the last call, until nothing waits to be worked on.
DRAIN_S = 300.0


def make_live() -> tuple[Segment, Campaign]:
    """A segment and a campaign that the stream moves."""
    today = timezone.now().date()
    ensure_partitions("crm_event", first=today, last=today)
    rule = {"version": 1, "root": {"type": "event", "name": PURCHASE}}
    segment = save_segment(name="Buyers", rule=rule, actor="test")
    refresh_segment(segment, at=timezone.now())
    campaign = make_campaign(kind="event", trigger_event=TRIGGER, reentry="every")
    launch_campaign(campaign, by="test")
    return segment, campaign


def wait_until_worked_on(*, timeout_s: float = DRAIN_S) -> float:
    return wait_until(lambda: not PendingEvent.objects.exists(), timeout_s=timeout_s)


def check_effects(stream: Stream, segment: Segment, campaign: Campaign) -> None:
    """Each event of the stream had its effects, and had them once."""
    keys = MessageKey.objects.count()
    assert (keys, Event.objects.count()) == (stream.count, stream.count_events())
    people = min(stream.people, stream.count)
    assert Contact.objects.canonical().count() == people
    started = Delivery.objects.filter(campaign=campaign)
    assert started.count() == stream.count_named(TRIGGER)
    assert started.values("trigger_event_id").distinct().count() == started.count()
    steps = Contact.objects.canonical().exclude(traits={})
    told = steps.values_list("external_id", "traits__step")
    assert dict(told) == stream.find_last_steps()
    buyers = Event.objects.filter(name=PURCHASE).values("contact").distinct().count()
    assert Membership.objects.filter(segment=segment).count() == buyers
