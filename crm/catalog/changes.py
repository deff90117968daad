"""What a new state of an item means: history, and the events that follow. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

PRICE_DROPPED: Final = "Price Dropped"
BACK_IN_STOCK: Final = "Back In Stock"
NEW_CONTENT: Final = "New Content"
EVENTS: Final = (PRICE_DROPPED, BACK_IN_STOCK, NEW_CONTENT)
# What was published longer ago is no news, also where we learn of it only now.
NEWS_AGE: Final = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a customer sees of an item that may change from day to day."""

    price: Decimal | None
    currency: str
    stock: int | None
    archived: bool
    published_at: datetime | None = None

    @property
    def is_for_sale(self) -> bool:
        return not self.archived and (self.stock is None or self.stock > 0)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an item's history; `event` is '' where it concerns nobody."""

    kind: str
    event: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """When a change is news. `min_drop_pct` of the last price; `is_news`: new items of
    the catalog are told of; `quiet`: nothing is, as in a first load."""

    min_drop_pct: int
    is_news: bool
    quiet: bool = False


def compare_states(
    before: Shown | None, after: Shown, *, policy: Policy, at: datetime
) -> list[Change]:
    """What to write down; `before` is None for an item that is new."""
    if before is None:
        return [Change("added", _name_news(after, policy, at))]
    changes: list[Change] = []
    if before.price != after.price or before.currency != after.currency:
        changes.append(Change("price", _name_drop(before, after, policy)))
    if before.is_for_sale != after.is_for_sale:
        changes.append(Change("stock", _name_return(before, after, policy)))
    return changes


def _name_news(after: Shown, policy: Policy, at: datetime) -> str:
    if policy.quiet or not policy.is_news or after.archived:
        return ""
    if after.published_at is not None and after.published_at < at - NEWS_AGE:
        return ""
    return NEW_CONTENT


def _name_drop(before: Shown, after: Shown, policy: Policy) -> str:
    """Nothing is promised of what cannot be bought, or is priced otherwise now."""
    if policy.quiet or not after.is_for_sale or before.currency != after.currency:
        return ""
    if before.price is None or after.price is None or after.price >= before.price:
        return ""
    least = before.price * Decimal(100 - policy.min_drop_pct) / 100
    return PRICE_DROPPED if after.price <= least else ""


def _name_return(before: Shown, after: Shown, policy: Policy) -> str:
    """Only a counted stock that was 0 comes back; an archived item is no promise."""
    if policy.quiet or not after.is_for_sale or before.archived:
        return ""
    return BACK_IN_STOCK
