"""The kinds of facts that are kept: their entries, their rows, and how those fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models

from crm.models import Order, OrderEntry, Subscription, SubscriptionEntry
from crm.models.purchase import Entry
from crm.purchases.moments import Leads, find_next, list_moments
from crm.purchases.orders import OrderFacts, fold_order
from crm.purchases.subscriptions import SubscriptionFacts, fold_subscription

# (contact, number): whose, and which.
Pair = tuple[int, str]
# How far time has told of a row; nothing of an order ever.
Places = Mapping[Pair, datetime | None]


@dataclass(frozen=True, slots=True)
class Book:
    """One kind of fact. `fold` makes the columns of a row from its entries, but for
    those `unread`."""

    words: str
    entries: type[Entry]
    rows: type[models.Model]
    columns: tuple[str, ...]
    fold: Callable[[Sequence[Any], datetime | None], Mapping[str, Any]]
    unread: tuple[str, ...] = ()


def fold_order_row(said: Sequence[Any], told: datetime | None) -> Mapping[str, Any]:
    return asdict(fold_order(said))


def fold_subscription_row(
    said: Sequence[Any], told: datetime | None
) -> Mapping[str, Any]:
    return {
        **asdict(fold_subscription(said)),
        "told_until": told,
        "due_at": find_next(list_moments(said, read_leads()), after=told),
    }


def read_leads() -> Leads:
    return Leads(
        tuple(settings.TRIAL_ENDING_DAYS),
        settings.RENEWAL_DUE_DAYS,
        settings.SUBSCRIPTION_GRACE_DAYS,
    )


ORDERS = Book(
    "orders",
    OrderEntry,
    Order,
    tuple(column.name for column in fields(OrderFacts)),
    fold_order_row,
    unread=("lines",),
)
SUBSCRIPTIONS = Book(
    "subscriptions",
    SubscriptionEntry,
    Subscription,
    (*(column.name for column in fields(SubscriptionFacts)), "told_until", "due_at"),
    fold_subscription_row,
)
BOOKS: tuple[Book, ...] = (ORDERS, SUBSCRIPTIONS)


def refold(book: Book, pairs: Iterable[Pair], *, places: Places | None = None) -> None:
    """Make the rows of these what their entries come to; without any, there is none.

    Three queries, or four. The caller holds the contacts' locks.
    """
    wanted = sorted(set(pairs))
    if not wanted:
        return
    found = read_entries(book, wanted)
    told = read_places(book, wanted) if places is None else places
    rows = [
        book.rows(
            contact_id=pair[0],
            number=pair[1],
            **book.fold(found[pair], told.get(pair)),
        )
        for pair in wanted
        if pair in found
    ]
    manager = book.rows._default_manager
    manager.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["contact", "number"],
        update_fields=book.columns,
    )
    for contact, number in wanted:
        if (contact, number) not in found:
            manager.filter(contact_id=contact, number=number).delete()


def read_places(book: Book, pairs: Sequence[Pair]) -> Places:
    """How far time has told of each; one query, none for orders."""
    if book is not SUBSCRIPTIONS:
        return {}
    rows = Subscription.objects.filter(
        contact__in={contact for contact, _ in pairs},
        number__in={number for _, number in pairs},
    )
    return {
        (contact, number): told
        for contact, number, told in rows.values_list(
            "contact_id", "number", "told_until"
        )
    }


def read_entries(book: Book, pairs: Sequence[Pair]) -> dict[Pair, list[Any]]:
    """What was said of each, without what no fold reads; one query."""
    found: dict[Pair, list[Any]] = {}
    said = book.entries.objects.of_pairs(pairs).defer(*book.unread)
    for entry in said.order_by("at", "event_id"):
        found.setdefault((entry.contact_id, entry.number), []).append(entry)
    return {pair: found[pair] for pair in pairs if pair in found}
