"""Products that shop events name: the catalog fills itself, with no configuration.

What staff, an import or the API said about a product is never changed by an event;
a product that only events know follows the newest of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from django.db import connection

from crm.events.commerce import EVENTS, ProductWord, list_products
from crm.ports.effects import Effect

# learned_at: only events told us of this product, and this is the newest of them.
# Only what is news is written: an upsert would lock even a product it leaves alone,
# and the bestseller stands in every batch.
LEARN_PRODUCTS = """
INSERT INTO crm_product AS p (
    catalog_id, code, name, price, currency, category, url, image_url, attributes,
    updated_at, learned_at)
SELECT 'products', r.code, r.name, r.price, r.currency, r.category, r.url,
    r.image_url, '{}', clock_timestamp(), r.at
FROM jsonb_to_recordset(%s::jsonb) AS r(
    code text, name text, price numeric, currency text, category text, url text,
    image_url text, at timestamptz)
LEFT JOIN crm_product k ON k.catalog_id = 'products' AND k.code = r.code
WHERE k.code IS NULL OR k.learned_at <= r.at AND (
    k.name <> r.name OR k.price IS DISTINCT FROM coalesce(r.price, k.price)
    OR r.currency NOT IN ('', k.currency) OR r.category NOT IN ('', k.category)
    OR r.url NOT IN ('', k.url) OR r.image_url NOT IN ('', k.image_url))
ORDER BY r.code
ON CONFLICT (catalog_id, code) DO UPDATE SET
    name = excluded.name,
    price = coalesce(excluded.price, p.price),
    currency = coalesce(nullif(excluded.currency, ''), p.currency),
    category = coalesce(nullif(excluded.category, ''), p.category),
    url = coalesce(nullif(excluded.url, ''), p.url),
    image_url = coalesce(nullif(excluded.image_url, ''), p.image_url),
    updated_at = excluded.updated_at, learned_at = excluded.learned_at
WHERE p.learned_at <= excluded.learned_at
"""


class ProductEffects:
    """Port `effects`: learns from shop events, inside their ingest transaction."""

    event_names = frozenset(EVENTS)
    trait_names: frozenset[str] = frozenset()
    is_consent = False

    def apply(self, effects: Sequence[Effect]) -> None:
        learn_products(
            word
            for effect in effects
            if effect.name in self.event_names
            for word in list_products(effect.properties, effect.occurred_at)
        )


def learn_products(words: Iterable[ProductWord]) -> None:
    """Add products nobody knew; of several words about one the newest counts."""
    newest: dict[str, ProductWord] = {}
    for word in words:
        known = newest.get(word.code)
        if known is None or word.at >= known.at:
            newest[word.code] = word
    if not newest:
        return
    document = msgspec.json.encode(list(newest.values())).decode()
    with connection.cursor() as cursor:
        cursor.execute(LEARN_PRODUCTS, [document])
