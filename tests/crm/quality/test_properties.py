"""Kinds of properties: learned at ingest, told where they clash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from crm.events import vocabulary
from crm.events.ingest import record_events
from crm.events.schema import Item
from crm.events.value_kinds import KINDS
from crm.events.vocabulary import forget_written
from crm.models import EventName, PropertyKind
from crm.quality.properties import read_examples, read_properties
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def fresh(django_capture_on_commit_callbacks: Any) -> Iterator[None]:
    forget_written()
    yield
    forget_written()


def track(at: datetime, /, _name: str = "Viewed", **properties: Any) -> None:
    item = Item(
        index=0, kind="track", name=_name, user_id="ada", anonymous_id="",
        previous_id="", message_id="", occurred_at=at, clock_skewed=False,
        properties=properties, traits={}, context={},
    )  # fmt: skip
    record_events([item], received_at=at, source="test")


def read_kinds() -> list[tuple[str, str]]:
    rows = PropertyKind.objects.order_by("property", "kind")
    return list(rows.values_list("property", "kind"))


def test_each_kind_of_value_is_learned_and_null_is_none() -> None:
    track(NOON, price=9.5, size=None, tags=["a"], sale=True, what={"a": 1}, name="x")
    track(NOON, price=9)
    track(NOON, price="9 EUR")

    assert read_kinds() == [
        ("name", "text"), ("price", "number"), ("price", "text"),
        ("sale", "yes_no"), ("tags", "list"), ("what", "object"),
    ]  # fmt: skip


def test_kinds_of_the_vocabulary_are_those_of_the_model() -> None:
    assert set(KINDS.values()) == set(PropertyKind.Kind.values)


@pytest.mark.django_db(transaction=True)
def test_what_is_known_costs_no_query_until_the_hour_is_over() -> None:
    track(NOON, price=1)
    track(NOON + HOUR / 2, price=2)
    assert PropertyKind.objects.get().last_seen_at == NOON

    track(NOON + 2 * HOUR, price=3)
    assert PropertyKind.objects.get().last_seen_at == NOON + 2 * HOUR


@pytest.mark.django_db(transaction=True)
def test_a_rare_kind_is_refreshed_after_the_hour_too() -> None:
    track(NOON, price=1)
    track(NOON, price="1")
    track(NOON + 2 * HOUR, price=1)
    track(NOON + 3 * HOUR, price="1")

    seen = dict(PropertyKind.objects.values_list("kind", "last_seen_at"))
    assert seen == {"number": NOON + 2 * HOUR, "text": NOON + 3 * HOUR}


def test_a_name_as_long_as_a_text_is_no_property() -> None:
    track(NOON, **{"x" * 201: 1, "y" * 200: 1})

    assert read_kinds() == [("y" * 200, "number")]


def test_a_batch_writes_a_limited_number_of_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vocabulary, "MAX_KINDS", 3)
    track(NOON, a=1, b=1, c=1, d=1)

    assert [key for key, _ in read_kinds()] == ["a", "b", "c"]


def test_two_kinds_in_a_week_are_a_clash_and_an_old_one_is_none() -> None:
    track(NOON - timedelta(days=9), price="9", size="M")
    track(NOON, price=9, size=4)
    track(NOON, price="9", size=4)

    found = read_properties(now=NOON)

    assert [(c.name, c.property) for c in found.clashes] == [("Viewed", "price")]
    assert [k.kind for k in found.clashes[0].kinds] == ["text", "number"]
    assert found.findings == 1


def test_properties_alike_are_told_with_the_older_one_kept() -> None:
    track(NOON - HOUR, product_id="a")
    track(NOON, product_id="a", productId="a")

    [(name, pair)] = read_properties(now=NOON).similar

    assert (name, pair.kept, pair.other) == ("Viewed", "product_id", "productId")


def test_a_property_is_new_where_its_event_is_not() -> None:
    track(NOON - timedelta(days=9), price=9)
    track(NOON, price=9, colour="red")
    track(NOON, "Bought", total=9)

    found = read_properties(now=NOON)

    assert [(row.name, row.property) for row in found.new] == [("Viewed", "colour")]
    assert EventName.objects.count() == 2


def test_examples_show_some_values_of_each_kind() -> None:
    person = make_contact()
    for number in range(5):
        make_event(person, "Viewed", properties={"price": number})
    make_event(person, "Viewed", properties={"price": "9 EUR"})
    make_event(person, "Viewed", properties={"other": 1})
    make_event(person, "Bought", properties={"price": True})

    found = read_examples("Viewed", "price", now=NOON + HOUR)

    kinds = [one.kind for one in found]
    assert (kinds.count("number"), kinds.count("text"), len(kinds)) == (3, 1, 4)
    assert "price: 9 EUR" in [one.said for one in found]
