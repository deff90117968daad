"""What the editor offers for filters."""

from __future__ import annotations

import pytest

from crm.facts.suggestions import suggest_filters
from crm.models import Catalog

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("naming", ["product_id", "sku", "products", "line_items"])
def test_events_that_name_products_may_be_asked_about_them(naming: str) -> None:
    fields = [{"name": "brand", "type": "text"}]
    Catalog.objects.filter(pk="products").update(fields=fields)

    offered = suggest_filters(["color", naming])

    assert offered[:4] == ["color", naming, "$product", "$category"]
    assert {"$product.stock", "$product.drop_pct", "$product.brand"} <= set(offered)


def test_others_are_asked_about_their_own_properties_alone() -> None:
    assert suggest_filters(["color"]) == ["color"]
