"""Tells of changes: one event for each contact whom a change concerns.

The rows of `CatalogChange` that wait are the outbox. A piece of the audience is told in
one transaction with the place where the next begins, under message ids made of change
and contact: a crash, a repeat and a second worker tell nobody twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from crm.catalog.audience import Carer, find_carers, find_readers
from crm.catalog.changes import BACK_IN_STOCK, NEW_CONTENT, PRICE_DROPPED
from crm.clock import read_clock
from crm.events.addresses import name_people
from crm.events.ingest import record_events
from crm.events.schema import Item
from crm.events.sources import BY_CATALOG
from crm.models import CatalogChange, CatalogItem

PIECE: Final = 1_000
# History of prices older than this is deleted.
HISTORY: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Told:
    """What one call did; `is_done` where nothing waited."""

    events: int = 0
    is_done: bool = False


@transaction.atomic
def announce_next(*, limit: int = PIECE) -> Told:
    """Tell the next piece of an audience of the oldest change that nobody has in hand.

    1. Take the change; one that is over or too old is put aside with its reason.
    2. Find the next contacts whom it concerns, and record an event for each.
    3. Note how far it got, or that all are told.
    """
    change = (
        CatalogChange.objects.waiting()
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("item__catalog")
        .order_by("pk")
        .first()
    )
    if change is None:
        return Told(is_done=True)
    at = read_clock()
    if outcome := find_end(change, at=at):
        _finish(change, outcome)
        return Told()
    carers = _find_audience(change, at=at, limit=limit)
    told = _record(change, [one for one in carers if not one.has_bought], at=at)
    change.told += told
    if len(carers) < limit:
        _finish(change, CatalogChange.Outcome.TOLD)
    else:
        change.told_up_to = carers[-1].contact_id
        change.save(update_fields=["told_up_to", "told"])
    return Told(events=told)


def find_end(change: CatalogChange, *, at: datetime) -> str:
    """Why there is nothing to tell any more, '' where there is.

    Somebody is told of a price only while it stands, and of a return only while there
    is some left.
    """
    item = change.item
    if change.at < at - timedelta(seconds=settings.TRIGGER_MAX_AGE_S):
        return CatalogChange.Outcome.LATE
    if item.archived_at is not None:
        return CatalogChange.Outcome.OVER
    if change.event != NEW_CONTENT and not item.is_for_sale:
        return CatalogChange.Outcome.OVER
    if change.event == PRICE_DROPPED and not _stands(change, item):
        return CatalogChange.Outcome.OVER
    return ""


def _stands(change: CatalogChange, item: CatalogItem) -> bool:
    if item.price is None or change.new_price is None:
        return False
    return item.price <= change.new_price


def _finish(change: CatalogChange, outcome: str) -> None:
    change.outcome = outcome
    change.save(update_fields=["outcome", "told"])


def _find_audience(change: CatalogChange, *, at: datetime, limit: int) -> list[Carer]:
    find = find_readers if change.event == NEW_CONTENT else find_carers
    return find(
        change.item,
        since=change.at - timedelta(days=settings.CATALOG_INTEREST_DAYS),
        after=change.told_up_to,
        limit=limit,
    )


def _record(change: CatalogChange, carers: Sequence[Carer], *, at: datetime) -> int:
    properties = describe_change(change)
    names = name_people([carer.contact_id for carer in carers])
    items = [
        _make_event(change, properties, keys=keys, contact_id=pk, index=index, at=at)
        for index, (pk, keys) in enumerate(sorted(names.items()))
    ]
    return (
        record_events(items, received_at=at, source=BY_CATALOG).accepted if items else 0
    )


def _make_event(
    change: CatalogChange,
    properties: dict[str, Any],
    *,
    keys: tuple[str, str],
    contact_id: int,
    index: int,
    at: datetime,
) -> Item:
    user_id, anonymous_id = keys
    return Item(
        index=index,
        kind="track",
        name=change.event,
        user_id=user_id,
        anonymous_id=anonymous_id,
        previous_id="",
        message_id=f"catalog:{change.pk}:{contact_id}",
        occurred_at=at,
        clock_skewed=False,
        properties=properties,
        traits={},
        context={},
    )


def describe_change(change: CatalogChange) -> dict[str, Any]:
    """The properties of the event; `code` and `catalog` lead templates to the item.

    The price is not called `price`: it is no revenue.
    """
    item = change.item
    said: dict[str, Any] = {
        "catalog": item.catalog_id,
        "code": item.code,
        "title": item.name,
        "category": item.category,
        "url": item.url,
    }
    if (
        change.event == PRICE_DROPPED
        and change.old_price
        and change.new_price is not None
    ):
        drop = (change.old_price - change.new_price) / change.old_price * 100
        said |= {
            "old_price": write_number(change.old_price),
            "new_price": write_number(change.new_price),
            "drop_pct": int(drop),
            "currency": item.currency,
        }
    if change.event == BACK_IN_STOCK:
        said["stock"] = change.new_stock
    return {name: value for name, value in said.items() if value not in ("", None)}


def write_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def forget_changes(*, now: datetime) -> int:
    """Delete history that is older than it is kept; what waits stays."""
    return CatalogChange.objects.older_than(now - HISTORY).delete()[0]
