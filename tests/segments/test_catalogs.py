"""Segments that ask about items follow the catalog, and rest in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.catalog.catalogs import find_products_catalog
from crm.catalog.items import archive_items, save_items
from segments import membership
from segments.catalogs import REST_BUILDS
from segments.models import Segment
from tests.factories import make_contact, make_event
from tests.segments.test_membership import (
    OPENED,
    list_members,
    list_moves,
    make_segment,
)

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SCARCE: dict[str, Any] = {
    "type": "event",
    "name": "Product Viewed",
    "count": {"op": "at_least", "n": 2},
    "where": [{"property": "$product.stock", "op": "lte", "value": 5}],
}


def stock(n: int) -> None:
    row = {"code": "tent", "name": "Tent", "price": 349, "stock": n}
    save_items(find_products_catalog(), [row], source="test", at=AT)


def view(times: int) -> int:
    contact = make_contact()
    for _ in range(times):
        make_event(
            contact,
            "Product Viewed",
            occurred_at=AT,
            properties={"product_id": "tent"},
        )
    return contact.pk


def rebuild(at: datetime) -> int:
    return membership.refresh_waiting_segments(at)


def rest(segment: Segment, build_s: float) -> None:
    Segment.objects.filter(pk=segment.pk).update(build_s=build_s)


def test_people_enter_and_leave_with_the_stock_of_what_they_viewed() -> None:
    stock(10)
    keen, _ = view(2), view(1)
    rebuild(AT)
    segment = make_segment(SCARCE)
    make_segment(OPENED, "Opened")
    rest(segment, 0)
    assert segment.current_version.trait_names == ["$catalog"]
    assert list_members(segment) == set()

    stock(4)
    assert rebuild(AT + MINUTE) == 1
    assert list_members(segment) == {keen}
    archive_items(find_products_catalog(), ["tent"], source="test", at=AT)
    rest(segment, 0)
    assert rebuild(AT + 2 * MINUTE) == 1

    assert list_members(segment) == set()
    reason = "items of a catalog changed"
    assert list_moves(segment) == [
        (keen, "entered", AT + MINUTE, reason),
        (keen, "left", AT + 2 * MINUTE, reason),
    ]


def test_what_moved_nothing_builds_nothing() -> None:
    stock(3)
    rest(make_segment(SCARCE), 0)
    rebuild(AT + MINUTE)

    stock(3)

    assert rebuild(AT + 2 * MINUTE) == 0


def test_a_segment_whose_build_takes_long_rests_and_then_follows() -> None:
    segment, keen = make_segment(SCARCE), view(2)
    rest(segment, 60)
    stock(4)

    assert rebuild(AT + MINUTE) == 0
    assert rebuild(AT + REST_BUILDS * MINUTE) == 1

    assert list_members(segment) == {keen}
