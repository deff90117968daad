"""The facts behind conditions on order and on days, as staff read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from crm.buckets import hash_position
from segments.explain import explain_contact
from segments.rules.validate import parse_rule
from tests.factories import make_contact, make_event

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WEEK = {"amount": 7, "unit": "days"}
PAID = [{"property": "paid", "op": "equals", "value": True}]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("node", "matches", "facts"),
    [
        (
            {"type": "occurrence", "name": "A", "which": "last", "n": 2}
            | {"having": PAID},
            True,
            "the 2nd last was on 2026-03-02 12:00:00 UTC",
        ),
        (
            {"type": "occurrence", "name": "B", "which": "first", "n": 2}
            | {"op": "within_last", "value": WEEK},
            False,
            "no 2nd “B”",
        ),
        (
            {"type": "aggregate", "measure": "most_frequent", "name": "A"}
            | {"property": "size", "op": "in", "value": ["M", "L"]},
            True,
            "most frequent size is “L”, from 2 events, the last on "
            "2026-03-03 12:00:00 UTC",
        ),
        (
            {"type": "aggregate", "measure": "average", "name": "A"}
            | {"property": "size", "op": "lt", "value": 5},
            False,
            "average size is unknown, from 2 events, the last on "
            "2026-03-03 12:00:00 UTC",
        ),
        (
            {"type": "aggregate", "measure": "count", "name": "D", "op": "lt"}
            | {"value": 5, "within": WEEK},
            False,
            "never did “D” in the last 7 days",
        ),
        (
            {"type": "sequence", "steps": [{"name": "A"}, {"name": "B"}]},
            True,
            "last “A” on 2026-03-03 12:00:00 UTC; last “B” on 2026-03-04 12:00:00 UTC",
        ),
        (
            {"type": "not_followed", "first": {"name": "B"}, "then": {"name": "C"}}
            | {"within": WEEK},
            True,
            "last “B” on 2026-03-04 12:00:00 UTC; no “C”",
        ),
        (
            {"type": "attribute", "trait": "day", "op": "during", "value": "today"},
            True,
            "day is \"2026-03-04\"",
        ),
    ],
)  # fmt: skip
def test_the_facts_that_decided(node: Any, matches: bool, facts: str) -> None:
    contact = make_contact(traits={"day": "2026-03-04"})
    make_event(
        contact, "A", occurred_at=AT - timedelta(days=2), properties={"paid": True}
    )
    make_event(
        contact, "A", occurred_at=AT - timedelta(days=1), properties={"size": "L"}
    )
    make_event(contact, "B", occurred_at=AT)
    rule = parse_rule({"version": 1, "root": node})

    told = explain_contact(rule, contact.pk, at=AT)

    assert (told.matches, told.facts) == (matches, facts)


@pytest.mark.django_db
def test_a_share_says_what_was_drawn() -> None:
    contact = make_contact(uuid=UUID(int=7))
    number = hash_position("spring", str(contact.uuid)) * 100
    rule = {"type": "cohort", "from": number, "to": number + 0.01, "seed": "spring"}

    told = explain_contact(parse_rule({"version": 1, "root": rule}), contact.pk, at=AT)

    assert (told.matches, told.facts) == (True, f"drew {number:g} of 100")
