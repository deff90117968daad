"""What an order comes to, by all that was said of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from crm.purchases.words import CANCELLED, MAX_AMOUNT, PLACED, REFUNDED, UPDATED

NOTHING = Decimal(0)
# Of one moment: an order is placed before it is changed, refunded or cancelled.
RANKS = {PLACED: 0, UPDATED: 1, REFUNDED: 2, CANCELLED: 3}


class Said(Protocol):
    """One entry of an order."""

    kind: str
    at: datetime
    message_id: str
    amount: Decimal | None
    currency: str
    refund_id: str


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The columns of an order that follow from its entries."""

    state: str
    placed_at: datetime | None
    gross: Decimal
    refunded: Decimal
    net: Decimal
    currency: str
    excess: Decimal
    is_mixed: bool
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Refunded:
    """What the refunds of an order took; `excess` is what was not there to take."""

    total: Decimal
    excess: Decimal
    is_mixed: bool


def fold_order(said: Iterable[Said]) -> OrderFacts:
    """The same for the same entries, in whatever order they came.

    Of gross and currency the newest word stands. An order is placed when it was first
    said to be, and cancelled where no later word says it is placed.
    """
    entries = sort_entries(said)
    placed = [one for one in entries if one.kind == PLACED]
    # Refunds name their own amounts.
    told = [one for one in entries if one.kind in (PLACED, UPDATED)]
    gross = next((x.amount for x in reversed(told) if x.amount is not None), NOTHING)
    currency = next((one.currency for one in reversed(told) if one.currency), "")
    refunds = [one for one in entries if one.kind == REFUNDED]
    if placed:
        taken = take_refunds(refunds, gross=gross, currency=currency)
        state = judge_state(entries, taken, gross)
    else:
        gross, taken, state = NOTHING, Refunded(NOTHING, NOTHING, False), "awaited"
    stands = state not in ("awaited", "cancelled")
    return OrderFacts(
        state=state,
        placed_at=placed[0].at if placed else None,
        gross=gross,
        refunded=taken.total,
        net=gross - taken.total if stands else NOTHING,
        currency=currency,
        excess=taken.excess,
        is_mixed=taken.is_mixed,
        last_at=entries[-1].at,
    )


def sort_entries(said: Iterable[Said]) -> list[Said]:
    """By time, each message once; what is left of a tie is decided by the message."""
    unique: dict[str, Said] = {}
    for one in sorted(said, key=lambda one: (one.at, RANKS[one.kind], one.message_id)):
        unique.setdefault(one.message_id, one)
    return list(unique.values())


def judge_state(entries: Sequence[Said], taken: Refunded, gross: Decimal) -> str:
    last = next(x.kind for x in reversed(entries) if x.kind in (PLACED, CANCELLED))
    if last == CANCELLED:
        return "cancelled"
    if not taken.total:
        return "paid"
    return "refunded" if taken.total == gross else "partially_refunded"


def take_refunds(refunds: Sequence[Said], *, gross: Decimal, currency: str) -> Refunded:
    """Add them up, a named refund once by its newest word.

    A refund in another currency is left out; more than the order is cut to it.
    """
    fitting = [one for one in refunds if one.currency in ("", currency) or not currency]
    once = {one.refund_id or f"message {one.message_id}": one for one in fitting}
    wanted = sum((one.amount or NOTHING for one in once.values()), NOTHING)
    if any(one.amount is None for one in once.values()):
        # One of them gave back all that was left.
        wanted = max(wanted, gross)
    wanted = min(wanted, MAX_AMOUNT)
    total = min(wanted, gross)
    return Refunded(total, wanted - total, len(fitting) < len(refunds))
