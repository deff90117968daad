"""Lines of a plan, and how an event falls short of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from crm.quality.expectations import (
    Expected,
    PlanRefused,
    Violation,
    find_violations,
    read_lines,
    write_lines,
)

PLAN = [Expected("price", "number", True), Expected("tags", "list")]


def test_lines_are_read_from_their_end_and_written_as_they_were_read() -> None:
    text = "price number required\n\n  unit of sale text \nrequired text\n"

    found = read_lines(text)

    assert found == [
        Expected("price", "number", True),
        Expected("unit of sale", "text"),
        Expected("required", "text"),
    ]
    assert read_lines(write_lines(asdict(one) for one in found)) == found
    assert read_lines("") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("price", "a name, then one of"),
        ("price money", "“price money”"),
        ("price required", "“price required”"),
        ("number required", "“number required”"),
        ("a text\na number", "a stands there twice"),
        (f"{'x' * 201} text", "longer than 200"),
        ("\n".join(f"p{n} text" for n in range(201)), "More than 200"),
    ],
)
def test_what_is_no_plan_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        read_lines(text)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("properties", "violations"),
    [
        ({"price": 9.5, "tags": []}, []),
        ({"price": 9}, []),
        ({}, [Violation("missing", "price")]),
        ({"price": None, "tags": None}, [Violation("missing", "price")]),
        ({"price": "9"}, [Violation("type", "price", "text", "number")]),
        ({"price": True}, [Violation("type", "price", "yes_no", "number")]),
        ({"price": 9, "size": {}}, [Violation("unknown", "size", "object")]),
        ({"price": 9, "size": None}, []),
    ],
)
def test_an_event_is_held_against_what_is_expected(
    properties: dict[str, Any], violations: list[Violation]
) -> None:
    assert list(find_violations(properties, PLAN)) == violations


def test_a_plan_without_properties_takes_any() -> None:
    assert list(find_violations({"anything": 1}, [])) == []
