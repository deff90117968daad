"""How a subscription stands, by all that was said of it. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

# What a word does to the status; where it is not named, it does nothing.
STATUS_OF = {
    "trial_started": "trialing",
    "started": "active",
    "converted": "active",
    "renewed": "active",
    "resumed": "active",
    "paused": "paused",
    "cancelled": "cancelled",
    "expired": "expired",
}
PAYING = ("active", "past_due")
# Of one moment: in this order.
RANKS = {
    kind: rank
    for rank, kind in enumerate(
        (
            *("trial_started", "trial_ended", "started", "converted", "resumed"),
            *("renewed", "changed", "payment_failed", "paused", "cancelled", "expired"),
        )
    )
}


class Said(Protocol):
    """One entry of a subscription."""

    kind: str
    at: datetime
    message_id: str
    by_time: bool
    status: str
    plan: str
    amount: Decimal | None
    currency: str
    interval: str
    trial_ends_at: datetime | None
    renews_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """The columns of a subscription that follow from its entries."""

    status: str
    plan: str
    amount: Decimal | None
    currency: str
    interval: str
    started_at: datetime
    trial_ends_at: datetime | None
    renews_at: datetime | None
    cancelled_at: datetime | None
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One word's effect: column → (from, to)."""

    at: datetime
    kind: str
    by_time: bool
    columns: dict[str, tuple[Any, Any]]


def fold_subscription(said: Iterable[Said]) -> SubscriptionFacts:
    """The same for the same entries, in whatever order they came."""
    *_, (_, facts) = walk_history(said)
    return facts


def list_changes(said: Iterable[Said]) -> list[Change]:
    """What each word changed, from what to what, oldest first."""
    found, before = [], dict[str, Any]()
    for one, facts in walk_history(said):
        after = asdict(facts)
        columns = {
            name: (before.get(name), value)
            for name, value in after.items()
            if name not in ("last_at", "started_at") and value != before.get(name)
            if value not in (None, "") or before.get(name) not in (None, "")
        }
        if columns:
            found.append(Change(one.at, one.kind, one.by_time, columns))
        before = after
    return found


def walk_history(said: Iterable[Said]) -> Iterator[tuple[Said, SubscriptionFacts]]:
    """Each word that counts, and how things stand after it.

    What was said comes first, by time; then what time alone brought about, where it
    still is so: a trial that was converted, however late that was told, has not ended.
    """
    entries = sort_words(said)
    first = min(one.at for one in entries)
    facts = SubscriptionFacts(
        "unknown", "", None, "", "", first, None, None, None, first
    )
    told = [one for one in entries if not one.by_time]
    for one in told:
        facts = apply_word(facts, one)
        yield one, facts
    for one in entries:
        if one.by_time and holds_still(facts, one):
            facts = replace(facts, status="expired", last_at=max(facts.last_at, one.at))
            yield one, facts
        elif not told:
            yield one, facts


def sort_words(said: Iterable[Said]) -> list[Said]:
    """By time, each message once; what is left of a tie is decided by the message."""
    unique: dict[str, Said] = {}
    for one in sorted(said, key=lambda one: (one.at, RANKS[one.kind], one.message_id)):
        unique.setdefault(one.message_id, one)
    return list(unique.values())


def apply_word(facts: SubscriptionFacts, one: Said) -> SubscriptionFacts:
    """What stands after this word: what it names, and what its kind means."""
    interval = one.interval or facts.interval
    status = one.status or find_status(facts.status, one.kind)
    renews_at = one.renews_at or facts.renews_at
    if one.kind in ("started", "converted", "renewed") and one.renews_at is None:
        renews_at = add_interval(one.at, interval)
    gone = status in ("cancelled", "expired")
    return SubscriptionFacts(
        status=status,
        plan=one.plan or facts.plan,
        amount=facts.amount if one.amount is None else one.amount,
        currency=one.currency or facts.currency,
        interval=interval,
        started_at=facts.started_at,
        trial_ends_at=one.trial_ends_at or facts.trial_ends_at,
        renews_at=renews_at,
        cancelled_at=(facts.cancelled_at or one.at) if gone else None,
        last_at=one.at,
    )


def find_status(before: str, kind: str) -> str:
    """A payment that fails concerns who pays, a trial that ended who is in one; a
    change of plan changes no status."""
    if kind == "payment_failed":
        return "past_due" if before in (*PAYING, "unknown") else before
    if kind == "trial_ended":
        return "expired" if before in ("trialing", "unknown") else before
    return STATUS_OF.get(kind, before)


def holds_still(facts: SubscriptionFacts, one: Said) -> bool:
    """Whether what time told is so, by everything that is known now."""
    if one.trial_ends_at is not None:
        return facts.status == "trialing" and facts.trial_ends_at == one.trial_ends_at
    is_paid_for = facts.status in (*PAYING, "cancelled")
    return is_paid_for and facts.renews_at == one.renews_at


def add_interval(at: datetime, interval: str) -> datetime | None:
    """The same time of the next day, week, month or year; None where none is known.

    A month without that day has its last.
    """
    if interval in ("day", "week"):
        return at + timedelta(days=1 if interval == "day" else 7)
    if interval not in ("month", "year"):
        return None
    months = at.month + (1 if interval == "month" else 12)
    year, month = at.year + (months - 1) // 12, (months - 1) % 12 + 1
    return at.replace(
        year=year, month=month, day=min(at.day, monthrange(year, month)[1])
    )
