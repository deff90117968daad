"""What is true now of the items that an event names, wherever it names them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from crm.facts.about import compare_event
from crm.facts.happenings import read_filter
from crm.ports.facts import find_fact_source
from tests.factories import make_contact, make_event
from tests.segments.shelf import FILTERS, asks_well, store_shelf

LOW = [{"property": "$product.stock", "op": "lte", "value": 5}]
PLAIN = [{"property": "color", "op": "exists"}]
STEPS = [{"name": "A"}, {"name": "B", "where": LOW}]
LOOKUP = {"catalog": "products", "field": "brand"}
AT = datetime(2026, 3, 4, tzinfo=UTC)
NAMING: list[dict[str, Any]] = [
    {},
    {"name": "a1"},
    *({key: "a1"} for key in ("product_id", "sku", "code", "product_code", "variant")),
    *({"product_id": code} for code in ("7", 7, "old", "gone", 7.5, "A1")),
    *({"product_id": odd} for odd in (True, None, {"a": 1}, ["a1"], "")),
    {"product_id": "7", "sku": "a1"},
    *({key: [{"sku": "a1"}]} for key in ("products", "items", "line_items", "lines")),
    {"things": [{"sku": "a1"}]},
    {"products": [{"sku": "gone"}, "odd", 5, None, {"product_id": 7}]},
    {"products": [{"sku": "a1"}, {"sku": "7"}], "product_id": "old"},
    {"products": {"sku": "a1"}},
    {"products": [], "code": "7"},
    {"catalog": "news", "code": "a1"},
    {"catalog": "news", "code": "7"},
    {"catalog": "none", "code": "a1"},
    {"catalog": 5, "code": "a1"},
    {"catalog": None, "code": "a1"},
]


def parse(node: dict[str, Any]) -> Any:
    source = find_fact_source(node["type"])
    assert source is not None
    return source.parse(node, "root")


@pytest.mark.django_db
def test_each_filter_answers_of_each_event_as_the_plain_evaluator_does() -> None:
    store_shelf(AT)
    contact = make_contact()
    named = {
        make_event(contact, "Viewed", occurred_at=AT, properties=properties).pk: (
            properties
        )
        for properties in NAMING
    }
    wrong = []
    for one in FILTERS:
        name, comparison = read_filter(one, "where[0]")
        test = compare_event(name, comparison, AT)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT e.id, {test.text} FROM crm_event e", test.params)
            wrong += [
                (one, named[pk], answer)
                for pk, answer in cursor.fetchall()
                if answer is not asks_well(one, named[pk], AT)
            ]

    assert wrong == []


@pytest.mark.parametrize(
    ("node", "traits"),
    [
        ({"type": "event", "where": LOW}, {"$catalog"}),
        ({"type": "event", "where": PLAIN}, set()),
        ({"type": "not_performed", "where": LOW}, {"$catalog"}),
        ({"type": "occurrence", "which": "last", "having": LOW}, {"$catalog"}),
        ({"type": "occurrence", "which": "last", "having": PLAIN}, set()),
        (
            {"type": "aggregate", "measure": "last", "property": "sku"}
            | {"lookup": LOOKUP, "op": "equals", "value": "x"},
            {"$catalog"},
        ),
    ],
)
def test_whatever_asks_about_items_moves_with_the_catalog(
    node: dict[str, Any], traits: set[str]
) -> None:
    mentions = parse({**node, "name": "A"}).mentions()

    assert (mentions.events, mentions.traits) == ({"A"}, traits)


def test_steps_of_a_sequence_may_ask_about_items() -> None:
    sequence = parse({"type": "sequence", "steps": STEPS})

    assert sequence.mentions().events == {"A", "B"}
    assert sequence.mentions().traits == {"$catalog"}


def test_it_reads_as_english() -> None:
    assert parse({"type": "event", "name": "Viewed", "where": LOW}).describe() == (
        "performed “Viewed” where stock of the product is at most 5 ever at least once"
    )
