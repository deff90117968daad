"""Whom a change of an item concerns: contacts in the order of their ids, by pieces.

- a price or a stock: who viewed, added or saved the item within the window, and has
  not ordered it since;
- something new: who follows its category, topic or author, and who read or saved
  something of its category within the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from crm.lines import PRODUCT_KEYS
from crm.models import Catalog, CatalogItem

SHOP: Final = (
    "Product Viewed",
    "Product Clicked",
    "Product Added",
    "Product Added to Wishlist",
    "Product Shared",
    "Item Viewed",
    "Item Saved",
)
READ: Final = (
    "Item Viewed",
    "Item Saved",
    "Article Viewed",
    "Article Saved",
    "Content Viewed",
    "Content Saved",
)
FOLLOW: Final = tuple(
    f"{what} {deed}"
    for what in ("Category", "Topic", "Author")
    for deed in ("Followed", "Unfollowed")
)
# Which events show that somebody cares for an item of such a catalog.
CARED: Final[Mapping[str, tuple[str, ...]]] = {
    Catalog.Kind.PRODUCTS: SHOP,
    Catalog.Kind.ARTICLES: READ,
    Catalog.Kind.PLAYLISTS: READ,
    Catalog.Kind.CUSTOM: tuple(dict.fromkeys((*SHOP, *READ))),
}
# Where events name an item, then what they say is followed.
_CODES = [f"nullif(properties ->> '{key}', '')" for key in PRODUCT_KEYS]
_LABELS = [f"properties ->> '{key}'" for key in ("category", "topic", "author")]
ABOUT: Final = f"coalesce({', '.join([*_CODES, *_LABELS])})"
LINE_CODE: Final = f"coalesce({', '.join(_CODES)})".replace("prop", "l.prop")
NAMES: Final = ", ".join(f"'{name}'" for name in dict.fromkeys((*SHOP, *READ, *FOLLOW)))

# Reads the index `event_about`: its expression and its condition are quoted whole.
CARERS: Final = f"""
SELECT c.contact_id, EXISTS (
    SELECT 1 FROM crm_event o
    CROSS JOIN jsonb_path_query(o.properties, '$.*[*]') AS l (properties)
    WHERE o.contact_id = c.contact_id AND o.name = 'Order Completed'
      AND o.occurred_at >= c.cared_at AND {LINE_CODE} = %(code)s) AS has_bought
FROM (
    SELECT contact_id, max(occurred_at) AS cared_at FROM crm_event
    WHERE {ABOUT} = %(code)s AND name IN ({NAMES}) AND name = ANY(%(names)s)
      AND occurred_at > %(since)s AND contact_id > %(after)s
      AND coalesce(properties ->> 'catalog', %(catalog)s) = %(catalog)s
    GROUP BY contact_id ORDER BY contact_id LIMIT %(limit)s) c
ORDER BY c.contact_id
"""
READERS: Final = f"""
SELECT contact_id, false FROM (
    SELECT contact_id FROM (
        SELECT DISTINCT ON (contact_id, {ABOUT}) contact_id, name FROM crm_event
        WHERE {ABOUT} = ANY(%(labels)s) AND name IN ({NAMES}) AND name = ANY(%(follow)s)
          AND contact_id > %(after)s
        ORDER BY contact_id, {ABOUT}, occurred_at DESC) said
    WHERE name NOT LIKE '%% Unfollowed'
    UNION
    SELECT contact_id FROM crm_event
    WHERE {ABOUT} = ANY(%(codes)s) AND name IN ({NAMES}) AND name = ANY(%(names)s)
      AND occurred_at > %(since)s AND contact_id > %(after)s
      AND coalesce(properties ->> 'catalog', %(catalog)s) = %(catalog)s) known
ORDER BY contact_id LIMIT %(limit)s
"""
# The newest items of a category stand for what its readers read.
MAX_NEIGHBOURS: Final = 500


@dataclass(frozen=True, slots=True)
class Carer:
    contact_id: int
    # Ordered it since: the change is no news to them.
    has_bought: bool


def find_carers(
    item: CatalogItem, *, since: datetime, after: int, limit: int
) -> list[Carer]:
    """The next contacts, beyond the id `after`, who cared for this item; one query."""
    return _ask(
        CARERS,
        {
            "code": item.code,
            "names": list(CARED[item.catalog.kind]),
            "catalog": item.catalog_id,
            "since": since,
            "after": after,
            "limit": limit,
        },
    )


def find_readers(
    item: CatalogItem, *, since: datetime, after: int, limit: int
) -> list[Carer]:
    """The next contacts to whom something new like this is news; two queries."""
    return _ask(
        READERS,
        {
            "labels": list_labels(item),
            "follow": list(FOLLOW),
            "codes": _list_neighbours(item),
            "names": list(CARED[item.catalog.kind]),
            "catalog": item.catalog_id,
            "since": since,
            "after": after,
            "limit": limit,
        },
    )


def list_labels(item: CatalogItem) -> list[str]:
    """What one may follow to hear of this item."""
    said = item.attributes
    lists = [said.get(name) for name in ("categories", "topics", "tags")]
    found = [item.category, said.get("author"), said.get("topic")]
    found += [label for one in lists if isinstance(one, list) for label in one]
    return [label for label in found if isinstance(label, str) and label]


def _list_neighbours(item: CatalogItem) -> list[str]:
    if not item.category:
        return []
    rows = CatalogItem.objects.filter(catalog=item.catalog_id, category=item.category)
    newest = rows.order_by("-created_at")[:MAX_NEIGHBOURS]
    return list(newest.values_list("code", flat=True))


def _ask(question: str, params: Mapping[str, Any]) -> list[Carer]:
    with connection.cursor() as cursor:
        cursor.execute(question, params)
        return [Carer(*row) for row in cursor.fetchall()]
