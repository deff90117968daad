"""What a new state of an item means."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.catalog.changes import Change, Policy, Shown, compare_states
from tests.factories import NOON

SHOP = Policy(min_drop_pct=5, is_news=False)
PAPER = Policy(min_drop_pct=5, is_news=True)
BOOT = Shown(price=Decimal(100), currency="EUR", stock=3, archived=False)


def see(before: dict[str, Any], after: dict[str, Any], **policy: Any) -> list[Change]:
    return compare_states(
        replace(BOOT, **before),
        replace(BOOT, **after),
        policy=replace(SHOP, **policy),
        at=NOON,
    )


@pytest.mark.parametrize(
    ("_case", "before", "after", "expected"),
    [
        ("nothing", {}, {}, []),
        ("stock moves", {}, {"stock": 2}, []),
        ("5 %", {}, {"price": Decimal(95)}, ["Price Dropped"]),
        ("less", {}, {"price": Decimal("95.01")}, [""]),
        ("dearer", {}, {"price": Decimal(120)}, [""]),
        ("first price", {"price": None}, {}, [""]),
        ("no price any more", {}, {"price": None}, [""]),
        ("other money", {}, {"price": Decimal(50), "currency": "USD"}, [""]),
        ("sold out", {}, {"stock": 0}, [""]),
        ("back", {"stock": 0}, {}, ["Back In Stock"]),
        ("not counted any more", {"stock": 0}, {"stock": None}, ["Back In Stock"]),
        ("cheaper, sold out", {}, {"price": Decimal(50), "stock": 0}, ["", ""]),
        (
            "cheaper and back",
            {"stock": 0},
            {"price": Decimal(50)},
            ["Price Dropped", "Back In Stock"],
        ),
        ("archived", {}, {"archived": True}, [""]),
        ("from the archive", {"archived": True}, {}, [""]),
    ],
)
def test_change(
    _case: str, before: dict[str, Any], after: dict[str, Any], expected: list[str]
) -> None:
    assert [change.event for change in see(before, after)] == expected


def test_a_quiet_load_writes_history_and_tells_nobody() -> None:
    assert see({"stock": 0}, {"price": Decimal(1)}, quiet=True) == [
        Change("price"),
        Change("stock"),
    ]


@pytest.mark.parametrize(
    ("_case", "policy", "published", "event"),
    [
        ("a product", SHOP, None, ""),
        ("an article", PAPER, None, "New Content"),
        ("of yesterday", PAPER, NOON - timedelta(hours=47), "New Content"),
        ("of last week", PAPER, NOON - timedelta(hours=49), ""),
        ("a first load", replace(PAPER, quiet=True), None, ""),
    ],
)
def test_an_item_that_is_new(
    _case: str, policy: Policy, published: Any, event: str
) -> None:
    item = replace(BOOT, published_at=published)
    assert compare_states(None, item, policy=policy, at=NOON) == [
        Change("added", event)
    ]
