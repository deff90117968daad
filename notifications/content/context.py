"""The names a template may use, built from facts that somebody else gathered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm.events.commerce import LINE_KEYS, read_product_code
from notifications.content.errors import RenderError

# A product by its code, or None; asked for at most MAX_LOOKUPS codes a message.
ProductLoader = Callable[[str], Mapping[str, Any] | None]

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
    products: ProductLoader | None = None,
    product_code: str | None = None,
    brand: Mapping[str, Any] | None = None,
    journey: Mapping[str, Any] | None = None,
    last_items: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The roots of a template; absent ones are missing values, not empty objects.

    `customer` holds columns and `traits`, `event` a name and `properties`; `last_items`
    are the newest first. `product` is named by `product_code`, else by the event.
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
    if products is not None:
        code = product_code or find_product_code((told or {}).get("properties", {}))
        context |= _build_shelf(products, code)
    return context


def _build_shelf(products: ProductLoader, code: str | None) -> dict[str, Any]:
    catalog = Catalog(products)
    shelf: dict[str, Any] = {"catalog": {"products": catalog}}
    if code:
        shelf["product"] = CatalogProduct(catalog, code)
    return shelf


def find_product_code(properties: Mapping[str, Any]) -> str | None:
    """The product an event is about; of several, the last one, as in a cart."""
    if code := read_product_code(properties):
        return code
    for key in LINE_KEYS:
        lines = properties.get(key)
        if isinstance(lines, list) and lines and isinstance(lines[-1], Mapping):
            return find_product_code({**lines[-1], key: None})
    return None


class Catalog(Mapping[str, Any]):
    """`catalog.products["code"]`, each code loaded once a message."""

    def __init__(self, load: ProductLoader) -> None:
        self._load = load
        self._loaded: dict[str, Mapping[str, Any] | None] = {}

    def __getitem__(self, key: object) -> Mapping[str, Any]:
        code = str(key)
        if code not in self._loaded:
            if len(self._loaded) >= MAX_LOOKUPS:
                raise RenderError(
                    "template_error", f"more than {MAX_LOOKUPS} catalog look-ups"
                )
            self._loaded[code] = self._load(code)
        product = self._loaded[code]
        if product is None:
            raise KeyError(code)
        return product

    # A catalog is looked up in, never listed.
    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class CatalogProduct(Mapping[str, Any]):
    """One product, loaded when its first value is asked for."""

    def __init__(self, catalog: Catalog, code: str) -> None:
        self.code = code
        self._catalog = catalog

    def __getitem__(self, key: str) -> Any:
        return self._catalog[self.code][key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog[self.code])

    def __len__(self) -> int:
        return len(self._catalog[self.code])


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
