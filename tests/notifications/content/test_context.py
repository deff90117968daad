"""What the names in a template stand for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifications.content.context import (
    MAX_LOOKUPS,
    build_context,
    find_product_code,
)
from notifications.content.errors import RenderError
from notifications.content.liquid import KNOWN_ROOTS, render_text

NOW = dt.datetime(2026, 1, 15, 23, 30, tzinfo=dt.UTC)


class Shelf:
    """A catalog that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, slug: str, code: str) -> Mapping[str, Any] | None:
        self.asked.append(code if slug == "products" else f"{slug}/{code}")
        return None if code == "gone" else {"name": f"Boot {code}", "price": 120}


def test_columns_win_over_traits_unless_they_are_empty() -> None:
    customer = {
        "id": 7,
        "email": "ada@example.com",
        "first_name": "",
        "last_name": None,
        "traits": {"email": "old", "first_name": "Ada", "last_name": "L", "city": "X"},
    }

    built = build_context(customer=customer, now=NOW)["customer"]

    assert built == {
        "id": 7,
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "L",
        "city": "X",
        "traits": customer["traits"],
    }


@pytest.mark.parametrize(
    ("_case", "zone", "brand_zone", "expected"),
    [
        ("their own", "Asia/Tokyo", "Europe/Oslo", "2026-01-16 08:30"),
        ("the brand's", None, "Europe/Oslo", "2026-01-16 00:30"),
        ("a wrong one", "Mars/Olympus", "Europe/Oslo", "2026-01-16 00:30"),
        ("a path", "../../etc/passwd", None, "2026-01-15 23:30"),
        ("a NUL", "Europe/\x00", None, "2026-01-15 23:30"),
        ("none", None, None, "2026-01-15 23:30"),
    ],
)
def test_now_is_the_contacts_wall_clock(
    _case: str, zone: str | None, brand_zone: str | None, expected: str
) -> None:
    context = build_context(
        customer={"timezone": zone}, now=NOW, brand={"timezone": brand_zone}
    )

    assert context["now"].strftime("%Y-%m-%d %H:%M") == expected
    assert context["now"] == NOW


def test_an_event_is_its_properties_and_its_name() -> None:
    event = {"name": "Viewed", "properties": {"name": "Boot", "size": 42}}

    context = build_context(customer={}, now=NOW, event=event)

    source = "{{ event.name }} {{ event.properties.name }} {{ trigger.size }}"
    assert render_text(source, context) == "Viewed Boot 42"


def test_absent_roots_are_missing_and_all_roots_are_known() -> None:
    everything = build_context(
        customer={},
        now=NOW,
        event={"name": "x"},
        campaign={"name": "w"},
        items=Shelf(),
        product_code="7",
        brand={"name": "b"},
        journey={"step": "s"},
    )

    assert set(everything) == KNOWN_ROOTS
    assert set(build_context(customer={}, now=NOW)) == {"customer", "now", "last_items"}


def test_products_are_loaded_once_and_only_when_asked_for() -> None:
    shelf = Shelf()
    event = {"name": "Viewed", "properties": {"product_id": 7}}
    context = build_context(customer={}, now=NOW, event=event, items=shelf)
    assert shelf.asked == []

    source = (
        "{{ product.name }} {{ catalog.products['7'].price }} "
        "{{ catalog.products[event.product_id].name }} {{ catalog.products['8'].name }}"
    )
    assert render_text(source, context) == "Boot 7 120 Boot 7 Boot 8"
    assert shelf.asked == ["7", "8"]


def test_a_product_that_is_gone_is_a_missing_value() -> None:
    context = build_context(customer={}, now=NOW, items=Shelf(), product_code="gone")

    assert render_text("{{ product.name | default: 'it' }}", context) == "it"
    with pytest.raises(RenderError) as caught:
        render_text("{{ product.name }}", context)
    assert caught.value.reason == "template_missing_value"


def test_an_item_is_of_the_catalog_that_the_event_names() -> None:
    shelf = Shelf()
    said = {"catalog": "news", "code": "42"}
    event = {"name": "New Content", "properties": said}
    context = build_context(customer={}, now=NOW, event=event, items=shelf)

    source = "{{ item.name }} {{ product.name }} {{ catalog.news[event.code].name }}"
    source += " {{ catalog['news']['gone'].name | default: '-' }}"
    assert render_text(source, context) == "Boot 42 Boot 42 Boot 42 -"
    assert shelf.asked == ["news/42", "news/gone"]


def test_look_ups_are_capped() -> None:
    shelf = Shelf()
    context = build_context(customer={}, now=NOW, items=shelf)
    source = "{% for n in (1..50) %}{{ catalog.products[n].name }}{% endfor %}"

    with pytest.raises(RenderError) as caught:
        render_text(source, context)

    assert caught.value.reason == "template_error"
    assert len(shelf.asked) == MAX_LOOKUPS


def test_a_catalog_is_not_listed() -> None:
    context = build_context(customer={}, now=NOW, items=Shelf())

    source = "{% for p in catalog.products %}{{ p }}{% else %}none{% endfor %}"
    assert render_text(source, context) == "none"


def test_the_last_item_is_first() -> None:
    items = [{"name": "Alpine Explorer jacket"}, {"name": "Scarf"}]
    context = build_context(customer={}, now=NOW, last_items=items)

    source = (
        "Last chance: 15% off your chosen {{ last_items.first.name }}, just for you!"
    )
    assert render_text(source, context) == (
        "Last chance: 15% off your chosen Alpine Explorer jacket, just for you!"
    )


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"product_id": "a"}, "a"),
        ({"sku": 12}, "12"),
        ({"product_id": "", "sku": "b"}, "b"),
        ({"products": [{"product_id": "a"}, {"code": "b"}]}, "b"),
        ({"items": []}, None),
        ({"items": ["a"]}, None),
        ({"product_id": True}, None),
        ({"product_id": {"x": 1}}, None),
        ({"products": [{"products": [{"sku": "deep"}]}]}, None),
        ({}, None),
    ],
)
def test_the_product_of_an_event(
    properties: dict[str, Any], expected: str | None
) -> None:
    assert find_product_code(properties) == expected


def test_the_zone_of_the_moment_is_not_changed_for_others() -> None:
    oslo = NOW.astimezone(ZoneInfo("Europe/Oslo"))

    assert build_context(customer={}, now=oslo)["now"].tzinfo is dt.UTC
