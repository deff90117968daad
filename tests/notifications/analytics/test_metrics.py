"""Figures by hand: a campaign small enough to count on paper."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.models import PendingEvent
from notifications.analytics.conversions import match_conversions
from notifications.analytics.figures import Day, ReasonCount, Revenue, Totals
from notifications.analytics.metrics import campaign_report, daily_series, overview
from notifications.models import Alert, Campaign, Delivery
from notifications.reasons import Reason
from tests.factories import (
    NOON,
    make_campaign,
    make_contact,
    make_delivery,
    make_event,
    make_sender,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GOAL = {"goal_event": "Order Completed", "goal_window_s": 3 * 86_400}


def order(delivery: Delivery, after: timedelta, value: str, currency: str) -> None:
    event = make_event(
        delivery.contact,
        occurred_at=NOON + after,
        value=Decimal(value),
        currency=currency,
    )
    assert match_conversions([event]) == 1


def make_told_campaign() -> Campaign:
    """20 people: 10 sent (4 opened, 2 clicked, 1 dismissed, 3 bought), 10 not."""
    campaign = make_campaign("Win back", **GOAL)
    opened = {"delivered_at": NOON + HOUR, "opened_at": NOON + HOUR}
    clicked = {**opened, "clicked_at": NOON + 2 * HOUR}
    rungs: list[dict[str, Any]] = [clicked, clicked, opened, opened]
    rungs += [{"delivered_at": NOON, "dismissed_at": NOON}, {"delivered_at": NOON}]
    sent = [make_delivery(campaign, **rung) for rung in [*rungs, {}, {}, {}, {}]]
    order(sent[0], 2 * HOUR, "20.00", "GBP")
    order(sent[1], 26 * HOUR, "10.50", "GBP")
    order(sent[9], 4 * HOUR, "7.00", "EUR")
    for fields in (
        {"state": "pending", "due_at": NOON + DAY, "reason": "quiet_hours"},
        {"state": "pending", "due_at": NOON - HOUR},
        {"state": "sending", "lease": sent[0].pk, "lease_until": NOON},
        {"state": "skipped", "reason": "capped", "first_claimed_at": NOON},
        {"state": "skipped", "reason": "capped", "first_claimed_at": NOON},
        {"state": "skipped", "reason": "no_consent", "first_claimed_at": NOON},
        {"state": "failed", "reason": "template_error", "first_claimed_at": NOON},
        {"state": "cancelled", "reason": "exit_goal", "first_claimed_at": NOON},
        {"state": "unknown", "opened_at": NOON},
        {"state": "expired"},
    ):
        make_delivery(campaign, **fields)
    # Counted nowhere: a test send, and another campaign's message.
    make_delivery(campaign, source_kind="test")
    make_delivery(make_campaign())
    return campaign


def test_report_counts_every_person_once() -> None:
    report = campaign_report(make_told_campaign(), at=NOON)

    assert report.planned == 20
    assert report.ladder == (
        ("attempted", 17),
        ("sent", 10),
        ("delivered", 6),
        ("opened", 4),
        ("clicked", 2),
        ("converted", 3),
    )
    assert report.dismissed == 1
    assert (report.pending, report.late, report.in_work) == (2, 1, 1)
    ends = (report.skipped, report.failed, report.cancelled, report.unknown)
    assert ends == (3, 1, 1, 1)
    assert (report.expired, report.held_out, report.quarantined) == (1, 0, 0)
    assert report.planned == (
        report.pending
        + report.in_work
        + report.sent
        + report.skipped
        + report.failed
        + report.cancelled
        + report.expired
        + report.unknown
        + report.held_out
        + report.quarantined
    )


def test_report_gives_reasons_with_their_sentences() -> None:
    report = campaign_report(make_told_campaign(), at=NOON)

    assert report.skips == (
        ReasonCount("skipped", "capped", Reason.CAPPED.sentence, 2),
        ReasonCount("skipped", "no_consent", Reason.NO_CONSENT.sentence, 1),
    )
    assert [(item.reason, item.count) for item in report.failures] == [
        ("template_error", 1)
    ]
    assert [(item.reason, item.count) for item in report.cancellations] == [
        ("exit_goal", 1)
    ]
    assert [(item.reason, item.count) for item in report.waits] == [("quiet_hours", 1)]
    assert sum(item.count for item in report.skips) == report.skipped


def test_report_shows_rates_with_their_intervals() -> None:
    rates = campaign_report(make_told_campaign(), at=NOON).rates

    assert {name: rate.share for name, rate in rates.items()} == {
        "delivery_rate": 0.6,
        "open_rate": 0.4,
        "click_rate": 0.2,
        "click_to_open_rate": 0.5,
        "dismiss_rate": 0.1,
        "conversion_rate": 0.3,
        "failure_rate": pytest.approx(1 / 17),
    }
    # R: prop.test(4, 10, correct = FALSE)
    assert rates["open_rate"].low == pytest.approx(0.1681803, abs=1e-6)
    assert rates["open_rate"].high == pytest.approx(0.6873262, abs=1e-6)


def test_report_keeps_currencies_apart_and_tells_the_median_time() -> None:
    report = campaign_report(make_told_campaign(), at=NOON)

    assert report.revenue == (
        Revenue(
            "EUR",
            Decimal(7),
            Decimal(0),
            Decimal(7),
            1,
            Decimal("0.7000"),
            Decimal("1.1667"),
        ),
        Revenue(
            "GBP",
            Decimal("30.5"),
            Decimal(0),
            Decimal("30.5"),
            2,
            Decimal("3.0500"),
            Decimal("5.0833"),
        ),
    )
    # 2, 4 and 26 hours
    assert report.conversion_median_s == 4 * 3600


def test_report_of_nothing_has_no_rates_and_no_money() -> None:
    report = campaign_report(make_campaign(), at=NOON)

    assert (report.planned, report.sent, report.revenue) == (0, 0, ())
    assert report.rates["open_rate"].share is None
    assert report.conversion_median_s is None
    assert report.is_sandbox is False


def test_report_says_when_it_is_of_the_sandbox() -> None:
    real = make_sender(name="Real", kind="fcm")
    campaign = make_campaign()
    make_delivery(campaign, sender=real)
    assert campaign_report(campaign, at=NOON).is_sandbox is False

    make_delivery(campaign)

    assert campaign_report(campaign, at=NOON).is_sandbox is True


def test_conversion_without_a_value_earns_nothing() -> None:
    campaign = make_campaign(**GOAL)
    delivery = make_delivery(campaign)
    match_conversions([make_event(delivery.contact, occurred_at=NOON + HOUR)])

    report = campaign_report(campaign, at=NOON)

    assert (report.converted, report.revenue) == (1, ())
    assert report.conversion_median_s == 3600


def test_series_names_each_of_the_first_days() -> None:
    campaign = make_campaign()
    make_delivery(campaign, opened_at=NOON + 2 * DAY, clicked_at=NOON + 2 * DAY)
    make_delivery(campaign, sent_at=NOON + DAY)
    make_delivery(campaign, converted_at=NOON + 30 * DAY)

    assert daily_series(campaign, days=4) == [
        Day(date(2026, 3, 4), sent=2),
        Day(date(2026, 3, 5), sent=1),
        Day(date(2026, 3, 6), opened=1, clicked=1),
        Day(date(2026, 3, 7)),
    ]
    assert daily_series(make_campaign()) == []


def test_report_takes_the_same_queries_whatever_the_size(
    django_assert_num_queries: Any,
) -> None:
    campaign = make_told_campaign()

    with django_assert_num_queries(2):
        campaign_report(campaign, at=NOON)
    with django_assert_num_queries(1):
        daily_series(campaign)
    with django_assert_num_queries(8):
        overview(NOON + DAY, 7)


def test_overview_sums_the_last_days_and_those_before() -> None:
    at = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
    told = make_told_campaign()
    before = make_delivery(make_campaign(), sent_at=NOON - 7 * DAY, opened_at=NOON)
    make_delivery(before.campaign, sent_at=NOON - 20 * DAY)

    shown = overview(at, 7)

    # The message of the other campaign went out at noon, too.
    assert shown.totals == Totals(11, 6, 4, 2, 1, 3)
    assert shown.before == Totals(sent=1, opened=1)
    assert [day.on for day in shown.series] == [
        date(2026, 2, 26) + n * DAY for n in range(7)
    ]
    assert shown.series[-1] == Day(date(2026, 3, 4), 11, 4, 2, 3)
    assert [(row.currency, row.total) for row in shown.revenue] == [
        ("EUR", Decimal(7)),
        ("GBP", Decimal("30.5")),
    ]
    assert (shown.top[0].campaign_id, shown.top[0].totals.sent) == (told.pk, 10)
    assert [row.currency for row in shown.top[0].revenue] == ["EUR", "GBP"]
    assert len(shown.top) == 2


def test_overview_shows_what_needs_a_human() -> None:
    contact = make_contact()
    campaign = make_campaign("Stuck", state="running")
    make_campaign("Done", state="finished")
    make_delivery(campaign, state="quarantined")
    make_delivery(campaign, state="pending", due_at=NOON - HOUR)
    make_delivery(campaign, state="pending", due_at=NOON + HOUR)
    skipped = {"state": "skipped", "reason": "capped"}
    make_delivery(campaign, **skipped, finished_at=NOON - 6 * DAY)
    make_delivery(campaign, **skipped, finished_at=NOON - 8 * DAY)
    for at in (NOON, None):
        PendingEvent.objects.create(
            event_id=contact.uuid,
            occurred_at=NOON,
            contact=contact,
            name="x",
            quarantined_at=at,
        )
    Alert.objects.raise_once(cause="a", text="No key", url="/admin/")
    Alert.objects.raise_once(cause="b", text="Settled")
    Alert.objects.resolve("b")

    shown = overview(NOON, 7)

    [progress] = shown.running
    assert (progress.name, progress.planned, progress.open) == ("Stuck", 5, 2)
    assert progress.done_pct == 60
    assert [(alert.text, alert.url) for alert in shown.alerts] == [
        ("No key", "/admin/")
    ]
    assert (shown.quarantined_deliveries, shown.quarantined_events) == (1, 1)
    assert (shown.pending, shown.late) == (2, 1)
    assert [(item.reason, item.count) for item in shown.skips] == [("capped", 1)]
