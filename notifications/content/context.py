"""The names a template may use, built from facts that somebody else gathered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm.events.commerce import read_product_code
from crm.lines import LINE_KEYS
from notifications.content.errors import RenderError

# An item by catalog and code, or None; asked for at most MAX_LOOKUPS items a message.
ItemLoader = Callable[[str, str], Mapping[str, Any] | None]
# The catalog that is meant where an event names none.
PRODUCTS = "products"

MAX_LOOKUPS = 10

# Columns of the contact, which win over traits of the same name unless they are empty.
CONTACT_FIELDS = (
    "id",
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "locale",
    "timezone",
)


def build_context(
    *,
    customer: Mapping[str, Any],
    now: dt.datetime,
    event: Mapping[str, Any] | None = None,
    campaign: Mapping[str, Any] | None = None,
    items: ItemLoader | None = None,
    product_code: str | None = None,
    brand: Mapping[str, Any] | None = None,
    journey: Mapping[str, Any] | None = None,
    last_items: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The roots of a template; absent ones are missing values, not empty objects.

    `customer` holds columns and `traits`, `event` a name and `properties`; `last_items`
    are the newest first. `product`, and `item`, which is the same, is the one that
    `product_code` names, else the event: of the catalog that it names, or `products`.
    """
    zone = _find_zone(customer.get("timezone"), (brand or {}).get("timezone"))
    context: dict[str, Any] = {
        "customer": _flatten_customer(customer),
        "now": now.astimezone(zone),
        "last_items": list(last_items),
    }
    told = None if event is None else _flatten_event(event)
    given = {"campaign": campaign, "brand": brand, "journey": journey}
    given |= {"event": told, "trigger": told}
    context |= {name: values for name, values in given.items() if values is not None}
    if items is not None:
        about = (told or {}).get("properties", {})
        key = (PRODUCTS, product_code) if product_code else find_item(about)
        context |= _build_shelf(items, key)
    return context


def _build_shelf(items: ItemLoader, key: tuple[str, str] | None) -> dict[str, Any]:
    shelves = Shelves(items)
    shelf: dict[str, Any] = {"catalog": shelves}
    if key is not None:
        shelf["product"] = shelf["item"] = ShelvedItem(shelves, *key)
    return shelf


def find_item(properties: Mapping[str, Any]) -> tuple[str, str] | None:
    """Catalog and code of the item that an event is about."""
    code = find_product_code(properties)
    if code is None:
        return None
    slug = properties.get("catalog")
    return slug if isinstance(slug, str) and slug else PRODUCTS, code


def find_product_code(properties: Mapping[str, Any]) -> str | None:
    """The product an event is about; of several, the last one, as in a cart."""
    if code := read_product_code(properties):
        return code
    for key in LINE_KEYS:
        lines = properties.get(key)
        if isinstance(lines, list) and lines and isinstance(lines[-1], Mapping):
            return find_product_code({**lines[-1], key: None})
    return None


class Shelves(Mapping[str, Any]):
    """`catalog.<slug>["code"]`, each item loaded once a message."""

    def __init__(self, load: ItemLoader) -> None:
        self._load = load
        self._loaded: dict[tuple[str, str], Mapping[str, Any] | None] = {}

    def __getitem__(self, slug: object) -> Shelf:
        return Shelf(self, str(slug))

    def find(self, slug: str, code: str) -> Mapping[str, Any] | None:
        key = (slug, code)
        if key not in self._loaded:
            if len(self._loaded) >= MAX_LOOKUPS:
                raise RenderError(
                    "template_error", f"more than {MAX_LOOKUPS} catalog look-ups"
                )
            self._loaded[key] = self._load(slug, code)
        return self._loaded[key]

    # Catalogs are looked up in, never listed.
    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Shelf(Mapping[str, Any]):
    """One catalog, by the codes of its items."""

    def __init__(self, shelves: Shelves, slug: str) -> None:
        self._shelves = shelves
        self._slug = slug

    def __getitem__(self, key: object) -> Mapping[str, Any]:
        item = self._shelves.find(self._slug, str(key))
        if item is None:
            raise KeyError(key)
        return item

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class ShelvedItem(Mapping[str, Any]):
    """One item, loaded when its first value is asked for."""

    def __init__(self, shelves: Shelves, slug: str, code: str) -> None:
        self.key = (slug, code)
        self._shelf = shelves[slug]

    def __getitem__(self, key: str) -> Any:
        return self._shelf[self.key[1]][key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shelf[self.key[1]])

    def __len__(self) -> int:
        return len(self._shelf[self.key[1]])


def _flatten_event(event: Mapping[str, Any]) -> dict[str, Any]:
    properties: Mapping[str, Any] = event.get("properties") or {}
    return {**properties, "properties": properties, "name": event.get("name")}


def _flatten_customer(customer: Mapping[str, Any]) -> dict[str, Any]:
    traits: Mapping[str, Any] = customer.get("traits") or {}
    fields = {
        name: customer[name]
        for name in CONTACT_FIELDS
        if customer.get(name) not in (None, "")
    }
    return {**traits, **fields, "traits": traits}


def _find_zone(*names: str | None) -> dt.tzinfo:
    for name in names:
        try:
            if name:
                return ZoneInfo(name)
        # What a device sends as its zone may be anything, a path included.
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return dt.UTC
