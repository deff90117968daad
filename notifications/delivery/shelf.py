"""Items of catalogs for a batch of messages: many look-ups, few questions.

A message that names an item which nobody read yet waits; then all that was wanted is
read at once, and those messages are rendered anew. So the number of queries follows the
look-ups of one message, never the number of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crm.models import CatalogItem

# Catalog and code.
Key = tuple[str, str]


class ItemWanted(Exception):
    """A template named an item that is not read yet."""


class Shelf:
    """What is read of the catalogs, and what is wanted next."""

    def __init__(self, likely: Iterable[Key]) -> None:
        self._items = read_items(likely)
        self._wanted: set[Key] = set()

    def find(self, slug: str, code: str) -> Mapping[str, Any] | None:
        """The item, None where there is none; raises ItemWanted where nobody knows."""
        key = (slug, code)
        if key not in self._items:
            self._wanted.add(key)
            raise ItemWanted
        return self._items[key]

    def load(self, slug: str, code: str) -> Mapping[str, Any] | None:
        """The same, asked for at once: for the few messages of a preview."""
        key = (slug, code)
        if key not in self._items:
            self._items |= read_items({key})
        return self._items[key]

    def read_wanted(self) -> None:
        """One query for all that was wanted since the last."""
        self._items |= read_items(self._wanted)
        self._wanted = set()


def read_items(keys: Iterable[Key]) -> dict[Key, Mapping[str, Any] | None]:
    """These items as templates see them; None for one that no message may name."""
    wanted = set(keys)
    # PostgreSQL takes no NUL in a question; no code has one either.
    asked = [key for key in wanted if "\x00" not in "".join(key)]
    rows = CatalogItem.objects.on_shelves(asked) if asked else ()
    found = {(row.catalog_id, row.code): describe_item(row) for row in rows}
    return {key: found.get(key) for key in wanted}


def describe_item(item: CatalogItem) -> dict[str, Any]:
    """An item as templates see one; its attributes never hide a column."""
    return {
        **item.attributes,
        "code": item.code,
        "name": item.name,
        "url": item.url,
        "image_url": item.image_url,
        "price": item.price,
        "was_price": item.was_price,
        "currency": item.currency,
        "category": item.category,
        "stock": item.stock,
        "published_at": item.published_at,
    }
