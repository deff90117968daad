from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.purchases.moments import Leads, find_next, list_moments
from crm.purchases.subscription_words import (
    SUBSCRIPTION_EVENTS,
    SubscriptionWord,
    read_moment,
    read_subscription_word,
)
from crm.purchases.subscriptions import (
    add_interval,
    fold_subscription,
    list_changes,
)
from tests.factories import NOON

DAY = timedelta(days=1)
LEADS = Leads((3, 1), renewal_due=3, grace=3)


@dataclass
class Entry:
    kind: str
    at: datetime
    message_id: str
    by_time: bool = False
    status: str = ""
    plan: str = ""
    amount: Decimal | None = None
    currency: str = ""
    interval: str = ""
    trial_ends_at: datetime | None = None
    renews_at: datetime | None = None


def say(kind: str, day: int, /, **more: Any) -> Entry:
    more = {"message_id": f"{kind} {day}", **more}
    for name in ("trial_ends_at", "renews_at"):
        if name in more:
            more[name] = NOON + more[name] * DAY
    return Entry(kind, NOON + day * DAY, **more)


TRIAL = say("trial_started", 0, trial_ends_at=14, plan="basic")
ENDED = say("trial_ended", 14, by_time=True, trial_ends_at=14)
PAID = say("started", 0, renews_at=30)
LAPSED = say("expired", 33, by_time=True, renews_at=30)


@pytest.mark.parametrize(
    ("_case", "entries", "expected"),
    [
        ("in trial", [TRIAL], "trialing"),
        ("converted", [TRIAL, say("converted", 10)], "active"),
        ("told to have ended", [TRIAL, say("trial_ended", 14)], "expired"),
        ("ended by time", [TRIAL, ENDED], "expired"),
        (
            "converted, told after its end",
            [TRIAL, ENDED, say("converted", 13)],
            "active",
        ),
        (
            "trial made longer",
            [TRIAL, ENDED, say("changed", 9, trial_ends_at=20)],
            "trialing",
        ),
        ("ended, converted later", [TRIAL, ENDED, say("converted", 16)], "active"),
        (
            "ended and converted at once",
            [say("trial_ended", 14), say("converted", 14), TRIAL],
            "active",
        ),
        ("lapsed", [PAID, LAPSED], "expired"),
        ("paid, told late", [PAID, LAPSED, say("renewed", 30, renews_at=60)], "active"),
        ("payment failed", [PAID, say("payment_failed", 30)], "past_due"),
        (
            "failed, then paid",
            [PAID, say("payment_failed", 30), say("renewed", 31)],
            "active",
        ),
        (
            "cancelled, a payment fails",
            [PAID, say("cancelled", 5), say("payment_failed", 6)],
            "cancelled",
        ),
        (
            "late failure of long ago",
            [PAID, say("renewed", 31), say("payment_failed", 30)],
            "active",
        ),
        ("paused", [PAID, say("paused", 2)], "paused"),
        ("resumed", [PAID, say("paused", 2), say("resumed", 3)], "active"),
        ("said so", [PAID, say("changed", 2, status="paused")], "paused"),
        ("nothing known", [say("changed", 2, plan="pro")], "unknown"),
    ],
)
def test_status(_case: str, entries: list[Entry], expected: str) -> None:
    assert fold_subscription(entries).status == expected
    assert fold_subscription(entries[::-1]).status == expected


def test_the_newest_word_of_each_column_stands() -> None:
    facts = fold_subscription(
        [
            say("changed", 5, plan="pro", amount=Decimal(20)),
            say(
                "started",
                0,
                plan="basic",
                amount=Decimal(10),
                currency="EUR",
                interval="month",
            ),
            say("changed", 3, plan="plus", currency="USD"),
        ]
    )

    assert (facts.plan, facts.amount, facts.currency) == ("pro", 20, "USD")
    assert (facts.started_at, facts.last_at) == (NOON, NOON + 5 * DAY)
    assert facts.renews_at == NOON.replace(month=4)


def test_history_tells_each_change_from_what_to_what() -> None:
    changes = list_changes([TRIAL, say("changed", 2, plan="pro"), ENDED])

    assert [(one.kind, one.by_time, one.columns) for one in changes] == [
        (
            "trial_started",
            False,
            {
                "status": (None, "trialing"),
                "plan": (None, "basic"),
                "trial_ends_at": (None, NOON + 14 * DAY),
            },
        ),
        ("changed", False, {"plan": ("basic", "pro")}),
        ("trial_ended", True, {"status": ("trialing", "expired")}),
    ]


@pytest.mark.parametrize(
    ("_case", "entries", "expected"),
    [
        (
            "trial",
            [TRIAL],
            [(11, "Trial Ending"), (13, "Trial Ending"), (14, "Trial Ended")],
        ),
        (
            "short trial",
            [say("trial_started", 0, trial_ends_at=2)],
            [(1, "Trial Ending"), (2, "Trial Ended")],
        ),
        ("converted", [TRIAL, say("converted", 10)], []),
        ("paying", [PAID], [(27, "Renewal Due"), (33, "Subscription Lapsed")]),
        ("past due", [PAID, say("payment_failed", 30)], [(33, "Subscription Lapsed")]),
        ("cancelled", [PAID, say("cancelled", 5)], [(30, "Subscription Lapsed")]),
        ("trial cancelled", [TRIAL, say("cancelled", 5)], []),
        ("expired", [PAID, say("expired", 5)], []),
        ("paused", [PAID, say("paused", 5)], []),
        ("no end known", [say("started", 0)], []),
    ],
)
def test_moments(
    _case: str, entries: list[Entry], expected: list[tuple[int, str]]
) -> None:
    moments = list_moments(entries, LEADS)

    assert [((one.at - NOON).days, one.name) for one in moments] == expected


def test_the_next_moment_is_the_first_that_was_not_told() -> None:
    moments = list_moments([TRIAL], LEADS)

    assert find_next(moments, after=None) == NOON + 11 * DAY
    assert find_next(moments, after=NOON + 11 * DAY) == NOON + 13 * DAY
    assert find_next(moments, after=NOON + 14 * DAY) is None


@pytest.mark.parametrize(
    ("at", "interval", "expected"),
    [
        ("2026-01-31", "month", "2026-02-28"),
        ("2026-12-31", "month", "2027-01-31"),
        ("2028-02-29", "year", "2029-02-28"),
        ("2026-03-04", "week", "2026-03-11"),
        ("2026-03-04", "day", "2026-03-05"),
    ],
)
def test_interval(at: str, interval: str, expected: str) -> None:
    moment = datetime.fromisoformat(f"{at}T12:00+00:00")

    assert add_interval(moment, interval) == datetime.fromisoformat(
        f"{expected}T12:00+00:00"
    )


def test_a_word_reads_near_names() -> None:
    word = read_subscription_word(
        "Subscription Created",
        {
            "subscriptionId": 7,
            "plan_name": "Pro",
            "price": "9.90",
            "currency": "eur",
            "billing_period": "Annual",
            "current_period_end": 1772625600,
            "status": "trial",
        },
        source="segment",
    )

    assert word == SubscriptionWord(
        number="7",
        kind="started",
        status="trialing",
        plan="Pro",
        amount=Decimal("9.9000"),
        currency="EUR",
        interval="year",
        renews_at=NOON,
    )


@pytest.mark.parametrize("name", SUBSCRIPTION_EVENTS)
@pytest.mark.parametrize("odd", [None, [], {}, True, 1e300, -1e300, "x", "", 1.5])
def test_odd_values_say_nothing(name: str, odd: Any) -> None:
    keys = ("trial_ends_at", "renews_at", "interval", "status", "currency", "plan")

    word = read_subscription_word(name, dict.fromkeys(keys, odd), source="api")

    assert (word.number, word.trial_ends_at, word.status) == ("default", None, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-04T12:00:00Z", NOON),
        ("2026-03-04T14:00:00+02:00", NOON),
        ("2026-03-04T12:00", NOON),
        (1772625600, NOON),
        (1772625600000, NOON),
        ("soon", None),
        ("0001-01-01", None),
        (1e300, None),
        (float("nan"), None),
        (True, None),
    ],
)
def test_moment(value: Any, expected: datetime | None) -> None:
    assert read_moment(value) == expected


ENTRIES = st.lists(
    st.builds(
        lambda kind, day, plan, ends, by_time, n: say(
            kind,
            day,
            plan=plan,
            message_id=f"m{n}",
            by_time=by_time and kind in ("trial_ended", "expired"),
            **ends,
        ),
        st.sampled_from(sorted(set(SUBSCRIPTION_EVENTS.values()))),
        st.integers(0, 3),
        st.sampled_from(["", "basic", "pro"]),
        st.sampled_from([{}, {"trial_ends_at": 2}, {"renews_at": 3}]),
        st.booleans(),
        st.integers(0, 99),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda entry: entry.message_id,
)


@given(entries=ENTRIES, data=st.data())
def test_any_order_and_repeats_stand_alike(entries: list[Entry], data: Any) -> None:
    again = data.draw(st.lists(st.sampled_from(entries), max_size=4))
    shuffled = data.draw(st.permutations(entries + again))

    assert fold_subscription(shuffled) == fold_subscription(entries)
    assert list_changes(shuffled) == list_changes(entries)
    assert list_moments(shuffled, LEADS) == list_moments(entries, LEADS)
