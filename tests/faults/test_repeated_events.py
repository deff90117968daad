"""F16 and F17: events sent again, at once, days later, and backwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.utils import timezone

from crm.events.retention import KEY_LIFE, forget_messages
from crm.events.schema import Item
from crm.models import Contact, Event, MessageKey, PendingEvent
from crm.privacy import erase_contact
from notifications.campaigns.launch import launch_campaign
from notifications.delivery.send import send_due
from notifications.models import Conversion, Delivery
from notifications.pipeline import process_events
from segments.editing import save_segment
from segments.membership import is_member, refresh_segment
from tests.crm.events.calls import record, run_together, say
from tests.factories import make_contact, make_device
from tests.notifications.factories import (
    LoggingChannel,
    lift_limits,
    make_campaign,
    make_reachable,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def send(items: Sequence[Item], at: datetime) -> tuple[int, int]:
    result = record(*items, at=at)
    return result.accepted, result.duplicates


def process_all() -> int:
    planned = 0
    while (done := process_events()).events:
        planned += done.planned
    return planned


def read_effects() -> tuple[int, ...]:
    """What events brought about, counted."""
    people = Contact.objects.canonical().count()
    models = (Event, PendingEvent, Delivery, Conversion)
    return people, *(model._default_manager.count() for model in models)


def make_story_campaign() -> None:
    """A reminder at each cart, to be stopped by an order."""
    campaign = make_campaign(
        kind="event",
        trigger_event="Cart Updated",
        goal_event="Order Completed",
        reentry="every",
    )
    launch_campaign(campaign, by="test")


def make_story(at: datetime) -> list[Item]:
    """A visitor is named, and leaves a cart that is ordered a minute later."""
    said = [
        say("identify", user_id="ann", anonymous_id="web", traits={"plan": "pro"}),
        say(anonymous_id="web", name="Cart Updated"),
        say(user_id="ann", name="Order Completed", properties={"revenue": 5}),
    ]
    return [
        say(
            item.kind,
            name=item.name,
            user_id=item.user_id,
            anonymous_id=item.anonymous_id,
            traits=item.traits,
            properties=item.properties,
            message_id=f"m{number}",
            occurred_at=at + timedelta(minutes=number),
        )
        for number, item in enumerate(said)
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [1, 2, 5])
def test_f16_each_event_has_one_effect_however_often_it_comes(times: int) -> None:
    at = timezone.now() - HOUR
    make_story_campaign()
    story = make_story(at)
    results = run_together([partial(send, story[::-1], at)] * times)
    assert sum(accepted for accepted, _ in results) == 3
    assert sum(repeats for _, repeats in results) == 3 * (times - 1)
    assert process_all() == 1
    effects = read_effects()
    assert effects[:4] == (1, 2, 0, 1)
    assert send(story, at) == (0, 3)
    process_all()
    assert read_effects() == effects


@pytest.mark.parametrize(("days", "accepted"), [(6, 0), (8, 3)])
def test_f16_the_memory_of_messages_is_seven_days_long(
    days: int, accepted: int
) -> None:
    now = timezone.now()
    make_story_campaign()
    story = make_story(now - HOUR)
    send(story, now)
    process_all()
    before = read_effects()
    MessageKey.objects.update(seen_at=now - timedelta(days=days))
    forget_messages(now=now)
    assert timedelta(days=7) == KEY_LIFE
    assert send(story, now) == (accepted, 3 - accepted)
    # After the window an event is taken for a new one, of its own old time.
    process_all()
    assert read_effects()[1] == before[1] + (2 if accepted else 0)
    assert Contact.objects.get().traits == {"plan": "pro"}


def test_f17_a_purchase_that_comes_before_its_cart_stops_the_reminder() -> None:
    lift_limits()
    make_story_campaign()
    person = make_reachable(external_id="ann")
    story = make_story(timezone.now() - HOUR)
    for item in story[::-1]:
        send([item], timezone.now())
        process_all()
    row = Delivery.objects.get()
    assert (row.contact_id, row.state) == (person.pk, "pending")
    channel = LoggingChannel()
    send_due(budget_s=10, open_one=lambda sender: channel)
    row.refresh_from_db()
    assert (row.state, row.reason, channel.posted) == ("cancelled", "exit_goal", [])


def test_f17_the_newest_word_wins_also_backwards() -> None:
    now = timezone.now()
    words = [
        say(
            "identify",
            user_id="ann",
            traits={"plan": plan, "n": number},
            occurred_at=now - number * HOUR,
        )
        for number, plan in enumerate(("team", "pro", "free"))
    ]
    for word in words:
        record(word, at=now)
    assert Contact.objects.get().traits == {"plan": "team", "n": 0}


def test_f17_an_erasure_before_the_identify_brings_nothing_back() -> None:
    now = timezone.now()
    record(say(user_id="ann", traits={"plan": "pro"}), at=now)
    make_device(Contact.objects.get())
    erase_contact(Contact.objects.get(), actor="test")
    late = say("identify", user_id="ann", traits={"city": "Rome"})
    assert record(late, at=now).suppressed == (0,)
    erased = Contact.objects.get()
    assert (erased.traits, erased.external_id, erased.devices.count()) == ({}, None, 0)
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("_case", "age_s", "planned"), [("in time", -60, 1), ("too old", 60, 0)]
)
def test_a_back_dated_event_moves_segments_and_fires_triggers_only_while_young(
    _case: str, age_s: int, planned: int, settings: object
) -> None:
    limit_s = 2 * 3600
    settings.TRIGGER_MAX_AGE_S = limit_s  # type: ignore[attr-defined]
    make_story_campaign()
    rule = {"version": 1, "root": {"type": "event", "name": "Cart Updated"}}
    segment = save_segment(name="Carts", rule=rule, actor="test")
    person = make_contact("ann")
    refresh_segment(segment, at=timezone.now())
    at = timezone.now() - timedelta(seconds=limit_s + age_s)
    record(say(user_id="ann", name="Cart Updated", occurred_at=at), at=timezone.now())
    assert process_all() == planned
    assert Delivery.objects.count() == planned
    assert is_member(segment, person.pk)
    person.refresh_from_db()
    assert person.known_since == at
