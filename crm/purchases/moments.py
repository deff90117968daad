"""When time alone has something to say of a subscription. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crm.purchases.subscription_words import (
    LAPSED,
    RENEWAL_DUE,
    TRIAL_ENDED,
    TRIAL_ENDING,
)
from crm.purchases.subscriptions import PAYING, Said, SubscriptionFacts, walk_history


@dataclass(frozen=True, slots=True)
class Leads:
    """Days before, and days of grace after, as the settings say."""

    trial_ending: tuple[int, ...]
    renewal_due: int
    grace: int


@dataclass(frozen=True, slots=True)
class Moment:
    """An event that follows from time alone; its properties tell which end it is of."""

    at: datetime
    name: str
    ends_at: datetime
    properties: dict[str, Any]


def list_moments(said: Sequence[Said], leads: Leads) -> list[Moment]:
    """All there are by what is known now, oldest first.

    A moment before its end was known has passed unsaid: a trial of one day has no
    "three days left".
    """
    facts, known_at = None, dict[str, datetime]()
    for one, after in walk_history(said):
        for name in ("trial_ends_at", "renews_at"):
            if facts is None or getattr(facts, name) != getattr(after, name):
                known_at[name] = one.at
        facts = after
    if facts is None:
        return []
    found = [
        *list_trial_moments(facts, leads, known_at["trial_ends_at"]),
        *list_renewal_moments(facts, leads, known_at["renews_at"]),
    ]
    return sorted(found, key=lambda moment: moment.at)


def list_trial_moments(
    facts: SubscriptionFacts, leads: Leads, known_at: datetime
) -> Iterator[Moment]:
    ends_at = facts.trial_ends_at
    if facts.status != "trialing" or ends_at is None:
        return
    said = {"trial_ends_at": ends_at.isoformat()}
    for days in leads.trial_ending:
        at = ends_at - timedelta(days=days)
        if at >= known_at:
            yield Moment(at, TRIAL_ENDING, ends_at, {**said, "days_left": days})
    yield Moment(ends_at, TRIAL_ENDED, ends_at, said)


def list_renewal_moments(
    facts: SubscriptionFacts, leads: Leads, known_at: datetime
) -> Iterator[Moment]:
    """Who cancelled keeps it until the end of what is paid; who pays has some grace."""
    ends_at = facts.renews_at
    if ends_at is None or facts.status not in (*PAYING, "cancelled"):
        return
    said = {"renews_at": ends_at.isoformat()}
    if facts.status == "cancelled":
        yield Moment(ends_at, LAPSED, ends_at, {**said, "reason": "cancelled"})
        return
    at = ends_at - timedelta(days=leads.renewal_due)
    if facts.status == "active" and at >= known_at:
        yield Moment(at, RENEWAL_DUE, ends_at, {**said, "days_left": leads.renewal_due})
    at = ends_at + timedelta(days=leads.grace)
    yield Moment(at, LAPSED, ends_at, {**said, "reason": "unpaid"})


def find_next(moments: Sequence[Moment], *, after: datetime | None) -> datetime | None:
    """The first of them that was not told; None where all were."""
    return next((one.at for one in moments if after is None or one.at > after), None)
