"""Reading events about subscriptions: which say what. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crm.events.amounts import VALUE_KEYS, read_currency, read_value
from crm.events.sources import BY_TIME
from crm.purchases.words import MAX_NUMBER, clean_amount, read_key

# What we tell when time alone has something to say.
TRIAL_ENDING, TRIAL_ENDED = "Trial Ending", "Trial Ended"
RENEWAL_DUE, LAPSED = "Renewal Due", "Subscription Lapsed"
# Name → what it says; also near names of billing tools.
SUBSCRIPTION_EVENTS: dict[str, str] = {
    "Trial Started": "trial_started",
    "Trial Converted": "converted",
    TRIAL_ENDED: "trial_ended",
    "Subscription Started": "started",
    "Subscription Created": "started",
    "Subscription Activated": "started",
    "Subscription Renewed": "renewed",
    "Plan Changed": "changed",
    "Plan Upgraded": "changed",
    "Plan Downgraded": "changed",
    "Subscription Updated": "changed",
    "Payment Failed": "payment_failed",
    "Subscription Paused": "paused",
    "Subscription Resumed": "resumed",
    "Subscription Reactivated": "resumed",
    "Subscription Cancelled": "cancelled",
    "Subscription Canceled": "cancelled",
    "Subscription Expired": "expired",
    "Subscription Ended": "expired",
    LAPSED: "expired",
}
# Whoever names none has one.
DEFAULT_NUMBER = "default"
NUMBER_KEYS = ("subscription_id", "subscriptionId", "subscription")
PLAN_KEYS = ("new_plan", "plan", "plan_name", "plan_id", "tier")
AMOUNT_KEYS = ("amount", *VALUE_KEYS)
INTERVAL_KEYS = ("interval", "billing_interval", "billing_period", "period")
TRIAL_KEYS = ("trial_ends_at", "trial_end", "trial_end_date")
RENEWAL_KEYS = (
    "renews_at",
    "next_billing_at",
    "next_billing_date",
    "current_period_end",
    "expires_at",
)
INTERVALS = {
    "day": "day",
    "daily": "day",
    "week": "week",
    "weekly": "week",
    "month": "month",
    "monthly": "month",
    "year": "year",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
}
STATUSES = {
    "trialing": "trialing",
    "trial": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "past_due",
    "paused": "paused",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "expired": "expired",
    "ended": "expired",
}
# From here on a number is of milliseconds.
MILLISECONDS = 1e11
FIRST_YEAR, LAST_YEAR = 1990, 2200


@dataclass(frozen=True, slots=True)
class SubscriptionWord:
    """What an event says about a subscription; None and '' say nothing."""

    number: str
    kind: str
    by_time: bool = False
    status: str = ""
    plan: str = ""
    amount: Decimal | None = None
    currency: str = ""
    interval: str = ""
    trial_ends_at: datetime | None = None
    renews_at: datetime | None = None


def read_subscription_word(
    name: str, properties: Mapping[str, Any], *, source: str
) -> SubscriptionWord:
    """The word of an event of `SUBSCRIPTION_EVENTS`."""
    value = read_value(properties, AMOUNT_KEYS)
    return SubscriptionWord(
        number=read_key(properties, NUMBER_KEYS) or DEFAULT_NUMBER,
        kind=SUBSCRIPTION_EVENTS[name],
        by_time=source == BY_TIME,
        status=read_choice(properties, ("status",), STATUSES),
        plan=read_key(properties, PLAN_KEYS),
        amount=None if value is None else clean_amount(value),
        currency=read_currency(properties.get("currency")),
        interval=read_choice(properties, INTERVAL_KEYS, INTERVALS),
        trial_ends_at=read_first_moment(properties, TRIAL_KEYS),
        renews_at=read_first_moment(properties, RENEWAL_KEYS),
    )


def read_choice(
    properties: Mapping[str, Any], keys: Sequence[str], known: Mapping[str, str]
) -> str:
    """The first of these that we know, as we call it; '' where none is."""
    for key in keys:
        value = properties.get(key)
        if isinstance(value, str) and len(value) <= MAX_NUMBER:
            found = known.get(value.strip().lower())
            if found:
                return found
    return ""


def read_first_moment(
    properties: Mapping[str, Any], keys: Sequence[str]
) -> datetime | None:
    for key in keys:
        found = read_moment(properties.get(key))
        if found is not None:
            return found
    return None


def read_moment(value: Any) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970; without an offset it is UTC.

    None for what is no time, or none that a subscription has.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
        else:
            seconds = value if abs(value) < MILLISECONDS else value / 1_000
            moment = datetime.fromtimestamp(seconds, UTC)
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            return None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
