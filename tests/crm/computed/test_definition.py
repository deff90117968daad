from __future__ import annotations

from typing import Any

import pytest

from crm.computed.definition import (
    describe_definition,
    has_lookup,
    read_definition,
)
from crm.computed.drafts import find_field, read_spec, write_spec
from crm.ports.facts import RuleError

SPENT = {"measure": "sum", "name": "Order Completed", "property": "value"}
STEPS = [{"at_least": 0, "value": "silver"}, {"at_least": 1_000, "value": "gold"}]
FAVOURITE = {
    "kind": "aggregate",
    "measure": "most_frequent",
    "names": ["Product Viewed", "Product Added"],
    "property": "product_id",
    "lines": "products",
    "lookup": {"catalog": "products", "field": "category"},
    "within": {"amount": 90, "unit": "days"},
    "where": [
        {"property": "plan", "op": "equals", "value": "pro"},
        {"property": "zip", "op": "equals", "value": "0815"},
        {"property": "size", "op": "in", "value": [1, "x y"]},
        {"property": "odd", "op": "exists"},
        {"property": "code", "op": "starts_with", "value": "12"},
    ],
}


def test_a_definition_reads_as_plain_english() -> None:
    tier = read_definition({"kind": "tier", "of": SPENT, "tiers": STEPS})
    assert describe_definition(tier) == (
        "Tier by total value of “Order Completed” ever: silver from 0, gold from 1,000."
    )
    points = {"kind": "tier", "of": {"trait": "points"}, "tiers": STEPS}
    assert describe_definition(read_definition(points)) == (
        "Tier by trait “points”: silver from 0, gold from 1,000."
    )
    assert read_definition(points).mentions().traits == {"points"}
    assert has_lookup(read_definition(FAVOURITE))
    assert not has_lookup(tier)


@pytest.mark.parametrize(
    ("spec", "path", "code"),
    [
        ([], "spec", "type"),
        ({}, "spec.kind", "required"),
        ({"kind": "magic"}, "spec.kind", "choice"),
        ({"kind": "aggregate"}, "spec.measure", "required"),
        ({"kind": "tier", "tiers": STEPS}, "spec.of", "required"),
        ({"kind": "tier", "of": SPENT}, "spec.tiers", "range"),
        ({"kind": "tier", "of": SPENT, "tiers": [{}]}, "spec.tiers[0].value",
         "required"),
        ({"kind": "tier", "of": SPENT, "tiers": [*STEPS, *STEPS]},
         "spec.tiers[2].at_least", "order"),
        ({"kind": "tier", "of": {**SPENT, "measure": "last"}, "tiers": STEPS},
         "spec.of.measure", "choice"),
        ({"kind": "tier", "of": {"trait": "x", "name": "y"}, "tiers": STEPS},
         "spec.of", "unknown_key"),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused_with_its_path(
    spec: Any, path: str, code: str
) -> None:
    with pytest.raises(RuleError) as refused:
        read_definition(spec)
    assert (refused.value.path, refused.value.code) == (path, code)


@pytest.mark.parametrize(
    "spec",
    [
        FAVOURITE,
        {"kind": "aggregate", "measure": "count", "name": "Viewed"},
        {"kind": "tier", "of": SPENT, "tiers": STEPS},
        {"kind": "tier", "of": {"trait": "points"}, "tiers": STEPS},
    ],
)
def test_a_form_shows_a_definition_and_gives_it_back(spec: dict[str, Any]) -> None:
    read_definition(spec)
    assert write_spec(read_spec(spec)) == spec


def test_a_line_that_is_no_filter_or_tier_is_refused_with_its_number() -> None:
    for field, path in (("where", "spec.where[1]"), ("tiers", "spec.tiers[1]")):
        draft = {"kind": "tier", "where": "a exists\nnonsense", "tiers": "1 a\nb 2"}
        draft[{"where": "tiers", "tiers": "where"}[field]] = ""
        with pytest.raises(RuleError) as refused:
            write_spec(draft)
        assert refused.value.path == path


def test_a_fault_stands_at_the_field_it_came_from() -> None:
    places = {
        "spec.of.measure": "measure",
        "spec.names[1]": "events",
        "spec.of.lookup.field": "catalog_field",
        "spec.within.amount": "amount",
        "spec.where[0].op": "where",
        "spec.tiers[2].at_least": "tiers",
        "spec.of.trait": "trait",
        "spec": "",
    }
    assert {path: find_field(path) for path in places} == places
