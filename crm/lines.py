"""Where events of shops name the products they are about. Pure; read by ingest, by
segment rules and by whatever follows orders."""

from __future__ import annotations

# The keys that may hold a product's code, in the order they are tried.
PRODUCT_KEYS = ("product_id", "sku", "code", "product_code", "variant")
CATEGORY_KEY = "category"
# Where an event lists several.
LINE_KEYS = ("products", "items", "line_items", "lines")
