"""What an event is about: products and categories, wherever it names them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from crm.facts.about import compare_event
from crm.facts.comparisons import Comparison
from crm.facts.happenings import read_filter
from crm.models import Event
from crm.ports.facts import RuleError
from tests.factories import make_contact, make_event

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, tzinfo=UTC)
LINES = {"products": [{"product_id": "b"}, {"sku": "a", "category": "Shoes"}]}


def matches(properties: dict[str, Any], name: str, op: str, value: Any) -> bool:
    Event.objects.all().delete()
    make_event(make_contact(), "Viewed", occurred_at=AT, properties=properties)
    test = compare_event(name, Comparison(op, value), AT)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {test.text} FROM crm_event e", test.params)
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("properties", "name", "op", "value", "expected"),
    [
        ({"product_id": "a"}, "$product", "equals", "a", True),
        ({"sku": "a"}, "$product", "equals", "a", True),
        ({"product_id": "A"}, "$product", "equals", "a", False),
        ({"product_id": 42}, "$product", "equals", "42", True),
        ({"product_id": "42"}, "$product", "equals", 42, True),
        ({"product_id": "042"}, "$product", "equals", "42", False),
        (LINES, "$product", "equals", "a", True),
        (LINES, "$product", "equals", "c", False),
        (LINES, "$product", "in", ("c", "b"), True),
        (LINES, "$product", "not_equals", "a", False),
        (LINES, "$product", "not_equals", "c", True),
        (LINES, "$category", "equals", "Shoes", True),
        ({"items": [{"code": "a"}]}, "$product", "equals", "a", True),
        ({"line_items": "a", "lines": [["a"]]}, "$product", "equals", "a", False),
        ({"other": [{"product_id": "a"}]}, "$product", "equals", "a", False),
        ({}, "$product", "equals", "a", False),
        ({}, "$category", "not_equals", "Shoes", True),
        ({"product_id": None}, "$product", "equals", "", False),
        ({"product_id": 'it\'s "%s"'}, "$product", "equals", 'it\'s "%s"', True),
    ],
)
def test_an_event_is_about_what_it_names(
    properties: dict[str, Any], name: str, op: str, value: Any, expected: bool
) -> None:
    assert matches(properties, name, op, value) is expected


@pytest.mark.parametrize("op", ["contains", "gt", "exists"])
def test_no_other_comparison_is_taken(op: str) -> None:
    node = {"property": "$product", "op": op, "value": 1}

    with pytest.raises(RuleError) as caught:
        read_filter(node, "where[0]")

    assert caught.value.path == "where[0].op"
