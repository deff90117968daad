"""Days are counted whole, again and again, and nothing drifts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from crm.models import CountedDay, Event, EventDay
from crm.models.quality import KEEP_DAYS
from crm.quality import counting
from crm.quality.counting import count_day, count_due_days, list_due_days
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 4)


@pytest.fixture
def shop() -> None:
    person = make_contact()
    library = {"library": {"name": "analytics-node"}}
    midnight = datetime(2026, 3, 4, tzinfo=UTC)
    make_event(person, "Viewed", occurred_at=midnight, context=library)
    make_event(person, "Viewed", occurred_at=NOON, context=library, clock_skewed=True)
    make_event(person, "Viewed", occurred_at=NOON, source="posthog")
    make_event(person, "Bought", occurred_at=midnight + timedelta(days=1))
    make_event(person, "Bought", occurred_at=midnight - timedelta(microseconds=1))


@pytest.mark.usefixtures("shop")
def test_a_day_is_counted_by_name_wire_and_library() -> None:
    count_day(DAY)

    rows = EventDay.objects.order_by("source")
    assert list(rows.values_list("name", "source", "library", "events", "skewed")) == [
        ("Viewed", "posthog", "", 1, 0),
        ("Viewed", "test", "analytics-node", 2, 1),
    ]
    assert CountedDay.objects.get().events == 3


@pytest.mark.usefixtures("shop")
def test_counting_again_replaces_what_was_counted() -> None:
    count_day(DAY)
    before = CountedDay.objects.get().counted_at
    Event.objects.filter(source="posthog").delete()
    count_day(DAY)

    assert [row.events for row in EventDay.objects.all()] == [2]
    assert CountedDay.objects.get().events == 2
    assert CountedDay.objects.get().counted_at > before


@pytest.mark.usefixtures("shop")
def test_a_flood_of_names_keeps_the_most_frequent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "MAX_ROWS", 1)
    count_day(DAY)

    assert [row.source for row in EventDay.objects.all()] == ["test"]
    # The day's sum still holds all of them.
    assert CountedDay.objects.get().events == 3


def test_today_comes_first_then_what_was_never_counted_then_the_oldest() -> None:
    days = [DAY - timedelta(days=n) for n in range(KEEP_DAYS)]
    for day in days:
        CountedDay.objects.create(counted_on=day, counted_at=NOON)
    soon, later = NOON + timedelta(minutes=1), NOON + timedelta(minutes=10)
    assert list_due_days(soon) == []
    assert list_due_days(later) == days[:2]

    CountedDay.objects.filter(counted_on=days[5]).delete()
    old = NOON - timedelta(days=2)
    CountedDay.objects.filter(counted_on=days[9]).update(counted_at=old)
    CountedDay.objects.filter(counted_on=days[7]).update(
        counted_at=old - timedelta(hours=1)
    )
    assert list_due_days(later) == [*days[:2], days[5], days[7], days[9]]


def test_counting_ends_with_its_time_and_goes_on_at_the_next_tick() -> None:
    now = NOON + timedelta(days=1)
    assert count_due_days(now=now, budget_s=0) == 1
    assert count_due_days(now=now, budget_s=60) == KEEP_DAYS - 1
    assert CountedDay.objects.count() == KEEP_DAYS
