"""Which goal events convert which messages."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.models import Event
from notifications.analytics.conversions import match_conversions, match_delivery
from notifications.models import Conversion, Delivery
from tests.factories import NOON, make_campaign, make_contact, make_delivery, make_event

pytestmark = pytest.mark.django_db
GOAL = {"goal_event": "Order Completed", "goal_window_s": 3600}
WINDOW = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def converted(delivery: Delivery) -> datetime | None:
    delivery.refresh_from_db()
    return delivery.converted_at


@pytest.mark.parametrize(
    ("_case", "at", "counts"),
    [
        ("before it was sent", NOON - SECOND, False),
        ("at the same instant", NOON, True),
        ("inside", NOON + timedelta(minutes=30), True),
        ("the last second", NOON + WINDOW - SECOND, True),
        ("the end is outside", NOON + WINDOW, False),
    ],
)
def test_window_is_half_open(_case: str, at: datetime, counts: bool) -> None:
    delivery = make_delivery(make_campaign(**GOAL))
    event = make_event(delivery.contact, occurred_at=at)

    assert match_conversions([event]) == int(counts)

    assert converted(delivery) == (at if counts else None)
    assert Conversion.objects.count() == int(counts)


@pytest.mark.parametrize(
    ("_case", "anchor", "times", "counts"),
    [
        ("sent", "sent", {}, True),
        ("delivered, not told", "delivered", {}, False),
        ("delivered", "delivered", {"delivered_at": NOON}, True),
        ("opened, not told", "opened", {"delivered_at": NOON}, False),
        ("opened", "opened", {"opened_at": NOON}, True),
        ("opened too late", "opened", {"opened_at": NOON + WINDOW}, False),
        ("clicked", "clicked", {"clicked_at": NOON}, True),
        ("clicked, not told", "clicked", {"opened_at": NOON}, False),
    ],
)
def test_window_starts_at_the_anchor(
    _case: str, anchor: str, times: dict[str, datetime], counts: bool
) -> None:
    delivery = make_delivery(make_campaign(goal_anchor=anchor, **GOAL), **times)
    event = make_event(delivery.contact, occurred_at=NOON + WINDOW / 2)

    assert match_conversions([event]) == int(counts)


@pytest.mark.parametrize(
    ("_case", "fields"),
    [
        ("nobody knows whether it was sent", {"state": "unknown"}),
        ("not sent yet", {"state": "pending"}),
        ("a test send", {"source_kind": "test"}),
    ],
)
def test_messages_that_convert_nothing(_case: str, fields: dict[str, str]) -> None:
    delivery = make_delivery(make_campaign(**GOAL), **fields)
    event = make_event(delivery.contact, occurred_at=NOON + SECOND)

    assert match_conversions([event]) == 0
    assert converted(delivery) is None


def test_other_names_and_other_people_do_not_convert() -> None:
    delivery = make_delivery(make_campaign(**GOAL))
    other_name = make_event(delivery.contact, "Product Viewed")
    other_person = make_event(make_contact())

    assert match_conversions([other_name, other_person]) == 0


def test_message_converts_once_at_the_first_event_whatever_the_order() -> None:
    delivery = make_delivery(make_campaign(**GOAL))
    second = make_event(delivery.contact, occurred_at=NOON + 2 * SECOND)
    first = make_event(
        delivery.contact, occurred_at=NOON + SECOND, value=Decimal(20), currency="GBP"
    )

    assert match_conversions([second, first]) == 1
    assert match_conversions([second, first]) == 0

    row = Conversion.objects.get()
    assert (row.event_id, row.event_at) == (first.pk, NOON + SECOND)
    assert (row.value, row.currency) == (Decimal(20), "GBP")


def test_event_converts_the_latest_message_of_a_campaign_and_each_campaign() -> None:
    recurring, other = make_campaign(**GOAL), make_campaign(**GOAL)
    contact = make_contact()
    monday = make_delivery(recurring, contact, occurrence="monday")
    tuesday = make_delivery(
        recurring, contact, occurrence="tuesday", sent_at=NOON + SECOND
    )
    elsewhere = make_delivery(other, contact)
    event = make_event(contact, occurred_at=NOON + 5 * SECOND)

    assert match_conversions([event]) == 2

    assert converted(monday) is None
    assert converted(tuesday) == event.occurred_at
    assert converted(elsewhere) == event.occurred_at


def test_open_reported_after_the_purchase_still_converts() -> None:
    delivery = make_delivery(make_campaign(goal_anchor="opened", **GOAL))
    event = make_event(delivery.contact, occurred_at=NOON + 5 * SECOND)
    assert match_conversions([event]) == 0
    Delivery.objects.filter(pk=delivery.pk).update(opened_at=NOON + SECOND)

    assert match_delivery(delivery.pk) is True
    assert match_delivery(delivery.pk) is False

    assert converted(delivery) == event.occurred_at


def test_late_report_does_not_count_an_event_twice_in_one_campaign() -> None:
    campaign = make_campaign(**GOAL)
    contact = make_contact()
    older = make_delivery(campaign, contact, occurrence="1", state="unknown")
    make_delivery(campaign, contact, occurrence="2")
    match_conversions([make_event(contact, occurred_at=NOON + SECOND)])
    Delivery.objects.filter(pk=older.pk).update(state="sent", sent_at=NOON)

    assert match_delivery(older.pk) is False


def test_a_batch_costs_three_queries_and_one_where_no_goal_is_reached(
    django_assert_num_queries: object,
) -> None:
    campaign = make_campaign(**GOAL)
    deliveries = [make_delivery(campaign) for _ in range(5)]
    events: list[Event] = [
        make_event(row.contact, occurred_at=NOON + SECOND) for row in deliveries
    ]

    other = make_event(deliveries[0].contact, "Nobody's goal", occurred_at=NOON)

    with django_assert_num_queries(3):  # type: ignore[operator]
        assert match_conversions([*events, other]) == 5
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert match_conversions([other]) == 0
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert match_conversions([]) == 0
