"""What time alone says of subscriptions is told once, and never of what is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from crm import tasks
from crm.clock import read_clock
from crm.events.ingest import record_events
from crm.events.merge import merge_contacts
from crm.models import Contact, Event, PendingEvent, Subscription, SubscriptionEntry
from crm.purchases.due import tell_due
from notifications import pipeline
from notifications.models import Delivery
from tests.crm.events.calls import say
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def take(name: str, days: float, user: str = "ada", /, **properties: Any) -> None:
    """An event of so many days from now, processed."""
    bring(name, days, user, **properties)
    pipeline.process_pending(budget_s=30)


def bring(name: str, days: float, user: str = "ada", /, **properties: Any) -> None:
    """The same, not processed yet. Ends are days from now."""
    for key in ("trial_ends_at", "renews_at"):
        if key in properties:
            properties[key] = (read_clock() + properties[key] * DAY).isoformat()
    item = say(
        name=name,
        user_id=user,
        message_id=f"{user} {name} {days}",
        properties=properties,
    )
    at = read_clock() + days * DAY
    record_events([replace_at(item, at)], received_at=read_clock(), source="test")


def replace_at(item: Any, at: datetime) -> Any:
    return type(item)(
        **{name: getattr(item, name) for name in item.__struct_fields__}
        | {"occurred_at": at}
    )


def tell() -> int:
    told = tell_due().events
    pipeline.process_pending(budget_s=30)
    return told


def list_told(user: str = "ada") -> list[tuple[str, Any]]:
    rows = Event.objects.filter(source="subscriptions").order_by("occurred_at")
    mine = rows.filter(contact__external_id=user)
    return [(row.name, row.properties.get("days_left")) for row in mine]


def read_status() -> str:
    return Subscription.objects.get(contact__external_id="ada").status


def test_a_trial_that_ends_is_told_step_by_step() -> None:
    take("Trial Started", -12, trial_ends_at=2.5, plan="pro")

    assert tell() == 1
    assert list_told() == [("Trial Ending", 3)]
    assert tell() == 0

    event = Event.objects.get(source="subscriptions")
    assert event.properties["plan"] == "pro"
    assert abs(event.occurred_at - (read_clock() - 0.5 * DAY)) < timedelta(minutes=1)
    assert read_status() == "trialing"


def test_a_trial_that_ended_is_expired_by_time_alone() -> None:
    take("Trial Started", -14, trial_ends_at=-0.1)

    assert tell() == 3

    assert [name for name, _ in list_told()] == [
        "Trial Ending",
        "Trial Ending",
        "Trial Ended",
    ]
    assert read_status() == "expired"
    assert SubscriptionEntry.objects.filter(by_time=True).count() == 1


def test_a_trial_converted_meanwhile_is_told_nothing() -> None:
    take("Trial Started", -14, trial_ends_at=-0.1)
    take("Trial Converted", -1)

    assert tell() == 0
    assert read_status() == "active"


def test_a_conversion_that_waits_to_be_processed_holds_the_clock_back() -> None:
    take("Trial Started", -14, trial_ends_at=-0.1)
    bring("Trial Converted", -1)

    assert tell_due().events == 0
    pipeline.process_pending(budget_s=30)

    assert tell() == 0
    assert (read_status(), list_told()) == ("active", [])


def test_a_conversion_told_after_the_end_takes_it_back() -> None:
    take("Trial Started", -14, trial_ends_at=-0.1)
    tell()
    take("Trial Converted", -1)

    assert read_status() == "active"


def test_a_renewal_is_due_then_lapses_after_its_grace() -> None:
    take("Subscription Started", -28, renews_at=2)
    assert (tell(), list_told()) == (1, [("Renewal Due", 3)])

    take("Subscription Started", -40, "bob", renews_at=-3.5)
    assert tell() == 2
    assert list_told("bob") == [("Renewal Due", 3), ("Subscription Lapsed", None)]


def test_after_downtime_a_week_is_told_and_what_is_older_is_passed_over() -> None:
    take("Trial Started", -30, trial_ends_at=-6)
    take("Trial Started", -60, "bob", trial_ends_at=-8)
    take("Subscription Started", -60, "cat", renews_at=-20)

    assert (tell(), tell()) == (1, 0)

    # The ending of a day before was seven days ago.
    assert list_told() == [("Trial Ended", None)]
    assert list_told("bob") == list_told("cat") == []
    assert set(Subscription.objects.values_list("status", "due_at")) == {
        ("expired", None)
    }


def test_an_end_passed_over_is_taken_back_and_judged_like_one_that_was_told() -> None:
    take("Trial Started", -60, trial_ends_at=-8)
    tell_due()

    assert PendingEvent.objects.get().contact_id == Contact.objects.get().pk
    take("Trial Converted", -9)
    assert read_status() == "active"


def test_what_is_told_starts_campaigns_unless_it_is_too_late() -> None:
    campaign = make_campaign(kind="event", trigger_event="Trial Ended")
    take("Trial Started", -14, trial_ends_at=-0.1)
    take("Trial Started", -14, "bob", trial_ends_at=-2)

    tell()

    [delivery] = Delivery.objects.filter(campaign=campaign)
    assert delivery.contact.external_id == "ada"
    assert list_told("bob")[-1] == ("Trial Ended", None)


def test_a_crash_and_a_second_tick_tell_nobody_twice() -> None:
    take("Trial Started", -14, trial_ends_at=-0.1)
    with transaction.atomic():
        tell_due()
        transaction.set_rollback(True)
    assert list_told() == []

    assert tell() == 3
    Subscription.objects.update(told_until=None, due_at=read_clock() - DAY)
    # The trial is over by what is known now.
    assert tell() == 0
    assert len(list_told()) == 3


def test_a_merge_does_not_tell_again() -> None:
    take("Trial Started", -12, trial_ends_at=2.5)
    tell()
    other = make_contact("ann")
    source = Subscription.objects.get().contact_id

    merge_contacts(source_id=source, target_id=other.pk, actor="test")

    assert tell() == 0
    row = Subscription.objects.get()
    assert row.contact_id == other.pk
    assert row.told_until is not None


def test_many_are_told_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rung = []
    monkeypatch.setattr(tasks, "ring", rung.append)
    for number in range(3):
        take("Trial Started", -12, f"u{number}", trial_ends_at=2.5)

    first = tell_due(limit=2)
    tasks.tell_subscriptions()

    assert (first.events, first.is_done) == (2, False)
    assert Event.objects.filter(source="subscriptions").count() == 3
    assert rung == ["notifications.tasks.process_events"]


def test_whoever_waits_holds_up_nobody_behind_them() -> None:
    for number in range(4):
        take("Trial Started", -12 - number, f"u{number}", trial_ends_at=2.5 - number)
    # The first two in line.
    bring("Trial Converted", -11, "u3")
    bring("Trial Converted", -11, "u2")

    assert not tell_due(limit=1).is_done
    assert not tell_due(limit=1).is_done
    assert tell_due(limit=1).is_done

    assert [list_told(f"u{number}") for number in range(4)] == [
        [("Trial Ending", 3)],
        [("Trial Ending", 3)],
        [],
        [],
    ]


def test_what_time_tells_is_no_activity() -> None:
    take("Trial Started", -12, trial_ends_at=2.5, plan="pro")
    did_at = Event.objects.get().occurred_at
    assert tell() == 1
    assert Contact.objects.get().last_active_at == did_at
