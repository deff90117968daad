"""From rows to people, products and orders, shifted so that they end now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from notifications.demo.rows import Row
from notifications.demo.sample import CATEGORIES
from notifications.demo.zones import ZONES, Place

PENNY = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Person:
    external_id: str
    country: str
    place: Place


@dataclass(frozen=True, slots=True)
class Item:
    """A product; its name is the one its code was sold under most often."""

    code: str
    name: str
    price: Decimal
    category: str


@dataclass(frozen=True, slots=True)
class Order:
    """One invoice: `at` is its last line's wall time, in UTC after the shift."""

    number: str
    customer: str
    at: datetime
    lines: tuple[tuple[str, int, Decimal], ...]

    @property
    def total(self) -> Decimal:
        return sum((price * quantity for _, quantity, price in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Dataset:
    people: tuple[Person, ...]
    items: tuple[Item, ...]
    orders: tuple[Order, ...]
    # Added to every time of the rows.
    shift: timedelta

    @property
    def revenue(self) -> Decimal:
        return sum((order.total for order in self.orders), Decimal(0)).quantize(PENNY)


def build_dataset(rows: Iterable[Row], *, now: datetime) -> Dataset:
    """People and orders of the clean rows, products of all; ends at `now`.

    `now` is aware; wall times of the rows are taken as UTC, by one constant.
    """
    names: dict[str, Counter[str]] = defaultdict(Counter)
    prices: dict[str, Decimal] = {}
    lines: dict[str, list[Row]] = defaultdict(list)
    countries: dict[str, str] = {}
    last = None
    for row in rows:
        last = row.at if last is None else max(last, row.at)
        names[row.code][row.description] += bool(row.description)
        prices[row.code] = max(row.price, Decimal(0))
        if row.is_clean:
            lines[row.invoice].append(row)
            countries.setdefault(row.customer, row.country)
    if last is None:
        raise ValueError("the input has no rows")
    shift = now.replace(tzinfo=None) - last
    return Dataset(
        people=tuple(
            Person(customer, country, ZONES.get(country, ZONES["United Kingdom"]))
            for customer, country in sorted(countries.items())
        ),
        items=tuple(
            _build_item(code, names[code], prices[code]) for code in sorted(names)
        ),
        orders=tuple(
            sorted(
                (_build_order(group, shift, now) for group in lines.values()),
                key=lambda order: (order.at, order.number),
            )
        ),
        shift=shift,
    )


def _build_item(code: str, names: Counter[str], price: Decimal) -> Item:
    name = next((name for name, count in names.most_common(1) if count), code)
    return Item(code, name, price.quantize(PENNY), CATEGORIES.get(name, ""))


def _build_order(group: list[Row], shift: timedelta, now: datetime) -> Order:
    first = group[0]
    return Order(
        number=first.invoice,
        customer=first.customer,
        at=(max(row.at for row in group) + shift).replace(tzinfo=now.tzinfo),
        lines=tuple((row.code, row.quantity, row.price) for row in group),
    )
