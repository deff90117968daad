"""The computed traits of the sample shop, and its lifecycle."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crm.computed.editing import save_computed
from crm.models import ComputedTrait
from segments.lifecycle import save_stages
from segments.rules.stages import SHIPPED
from segments.traits import build_next_piece

BROWSED = {"names": ["Product Viewed", "Product Added"]}
ORDERED = {"name": "Order Completed", "property": "value"}
# Key, label, purpose, definition.
TRAITS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "favourite_category",
        "Favourite category",
        "To show people what they look at most.",
        {
            "kind": "aggregate",
            "measure": "most_frequent",
            "property": "category",
            **BROWSED,
        },
    ),
    (
        "last_viewed_item",
        "Last viewed item",
        "To take up where somebody left.",
        {
            "kind": "aggregate",
            "measure": "last",
            "name": "Product Viewed",
            "property": "code",
            "lookup": {"catalog": "products", "field": "name"},
        },
    ),
    (
        "average_order_value",
        "Average order value",
        "To offer what fits the purse.",
        {"kind": "aggregate", "measure": "average", **ORDERED},
    ),
    (
        "loyalty_tier",
        "Loyalty tier",
        "To thank those who come back.",
        {
            "kind": "tier",
            "of": {"measure": "sum", **ORDERED},
            "tiers": [
                {"at_least": 0, "value": "bronze"},
                {"at_least": 200, "value": "silver"},
                {"at_least": 400, "value": "gold"},
            ],
        },
    ),
)


def define_traits(*, at: datetime) -> None:
    for key, label, purpose, spec in TRAITS:
        trait = ComputedTrait(key=key, label=label, purpose=purpose, spec=spec)
        save_computed(trait, actor="sample")
    save_stages(SHIPPED, actor="sample")
    while build_next_piece(at):
        pass
