from __future__ import annotations

from typing import Any

import pytest

from segments.rules.describe import describe
from segments.rules.validate import parse_rule

WEEK = {"amount": 7, "unit": "days"}
HOUR = {"amount": 1, "unit": "hours"}
VIEWED = {"type": "event", "name": "Viewed"}
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}


RULES: list[tuple[str, dict[str, Any], str]] = [
    ("everyone", {"type": "everyone"}, "are contacts"),
    ("equals", PRO, "have plan that is “pro”"),
    (
        "in",
        {"type": "attribute", "trait": "n", "op": "in", "value": [1, True, "x"]},
        "have n that is one of 1, true, “x”",
    ),
    (
        "exists",
        {"type": "attribute", "field": "email", "op": "exists"},
        "have e-mail that is known",
    ),
    (
        "date",
        {"type": "attribute", "trait": "d", "op": "before", "value": "2026-05-01"},
        "have d that is before 2026-05-01",
    ),
    (
        "more than ago",
        {
            "type": "attribute",
            "field": "known_since",
            "op": "more_than_ago",
            "value": WEEK,
        },
        "have first seen that is 7 days ago or longer",
    ),
    ("event ever", VIEWED, "performed “Viewed” ever at least once"),
    (
        "event in a window",
        {**VIEWED, "count": {"op": "at_least", "n": 2}, "within": HOUR},
        "performed “Viewed” in the last 1 hour at least 2 times",
    ),
    (
        "event filtered",
        {**VIEWED, "where": [{"property": "id", "op": "equals", "value": "X"}]},
        "performed “Viewed” where id is “X” ever at least once",
    ),
    (
        "zero times",
        {**VIEWED, "count": {"op": "exactly", "n": 0}, "within": HOUR},
        "did not perform “Viewed” in the last 1 hour",
    ),
    (
        "sum",
        {**VIEWED, "sum": {"property": "value", "op": "more_than", "n": 50}},
        "have a total value of more than 50 from “Viewed” ever",
    ),
    (
        "away",
        {"type": "not_performed", "name": "app_open", "within": WEEK},
        "did not perform “app_open” in the last 7 days (known for at least 7 days)",
    ),
    (
        "away, newcomers too",
        {
            "type": "not_performed",
            "name": "app_open",
            "within": WEEK,
            "include_newcomers": True,
        },
        "did not perform “app_open” in the last 7 days (newer people included)",
    ),
    (
        "device",
        {"type": "device", "platform": "ios", "reachable": True},
        "have a reachable iOS device",
    ),
    (
        "spent",
        {
            "type": "orders",
            "measure": "net",
            "op": "at_least",
            "n": 100,
            "currency": "EUR",
            "within": {"amount": 90, "unit": "days"},
        },
        "have total spent, net of refunds, of at least 100 in EUR in the last 90 days",
    ),
    (
        "refunded",
        {"type": "orders", "measure": "refunded_pct", "op": "more_than", "n": 50},
        "have refunded share in percent of more than 50",
    ),
    (
        "orders",
        {"type": "orders", "measure": "count", "op": "at_most", "n": 1},
        "have at most 1 order",
    ),
    (
        "last order",
        {
            "type": "last_order",
            "op": "more_than_ago",
            "value": {"amount": 60, "unit": "days"},
        },
        "have a last order whose date is 60 days ago or longer",
    ),
    (
        "device permission",
        {"type": "device", "platform": "ios", "permission": ["denied"]},
        "have an iOS device with push permission denied",
    ),
    (
        "segment",
        {"type": "segment", "segment": "vip", "member": False},
        "are not in segment “vip”",
    ),
    (
        "nested",
        {"all": [PRO, {"any": [VIEWED, {"type": "everyone"}]}]},
        "have plan that is “pro” and (performed “Viewed” ever at least once or "
        "are contacts)",
    ),
    (
        "a period of days",
        {"type": "attribute", "trait": "d", "op": "during", "value": "next_week"},
        "have d that is next week",
    ),
    (
        "an anniversary",
        {"type": "attribute", "trait": "d", "op": "anniversary", "value": 7},
        "have d that has its anniversary today or within the next 7 days",
    ),
    (
        "a version",
        {"type": "attribute", "trait": "v", "op": "version_below", "value": "3.2"},
        "have v that is a version below “3.2”",
    ),
    (
        "a pattern",
        {"type": "attribute", "trait": "v", "op": "matches", "value": "^a+$"},
        "have v that matches the pattern “^a+$”",
    ),
    (
        "an entry of a list",
        {"type": "attribute", "trait": "v", "op": "has", "value": "x"},
        "have v that is a list with “x”",
    ),
    (
        "a fixed window",
        {**VIEWED, "between": {"from": "2026-03-01", "to": "2026-04-01T08:00Z"}},
        "performed “Viewed” from 2026-03-01 on and before 2026-04-01 08:00 UTC "
        "at least once",
    ),
    (
        "away for a fixed window",
        {
            "type": "not_performed",
            "name": "Viewed",
            "between": {"from": "2026-03-01"},
        },
        "did not perform “Viewed” from 2026-03-01 on (known since 2026-03-01 "
        "or earlier)",
    ),
    (
        "the second last time",
        {
            **{"type": "occurrence", "name": "Viewed", "which": "last", "n": 2},
            **{"op": "within_last", "value": WEEK},
            "having": [{"property": "id", "op": "equals", "value": "X"}],
        },
        "have as their 2nd last “Viewed” one that is within the last 7 days and "
        "has id that is “X”",
    ),
    (
        "a sequence",
        {
            **{"type": "sequence", "steps": [{"name": "Viewed"}, {"name": "Paid"}]},
            **{"span": HOUR, "same": "product_id", "within": WEEK},
        },
        "performed “Viewed” and then “Paid” within 1 hour with the same "
        "product_id, in the last 7 days",
    ),
    (
        "not followed",
        {
            **{"type": "not_followed", "first": {"name": "Viewed"}},
            "then": {"name": "Paid"},
        },
        "performed “Viewed” and not “Paid”, ever",
    ),
    ("none of one", {"none": [PRO]}, "not: have plan that is “pro”"),
    (
        "none of two",
        {"none": [PRO, {"type": "everyone"}]},
        "do none of these: have plan that is “pro” or are contacts",
    ),
    (
        "an average",
        {
            **{"type": "aggregate", "measure": "average", "name": "Paid"},
            **{"property": "value", "within": WEEK, "op": "gte", "value": 1200},
        },
        "have average value of “Paid” in the last 7 days that is at least 1,200",
    ),
    (
        "a favourite",
        {
            **{"type": "aggregate", "measure": "most_frequent", "name": "Paid"},
            **{"lines": "products", "property": "category"},
            **{"op": "equals", "value": "Shoes"},
        },
        "have most frequent category in products of “Paid” ever that is “Shoes”",
    ),
    (
        "the age of the first",
        {
            **{"type": "aggregate", "measure": "first_at", "name": "Paid"},
            **{"op": "more_than_ago", "value": WEEK},
        },
        "have time of the first “Paid” ever that is 7 days ago or longer",
    ),
    (
        "a share",
        {"type": "cohort", "to": 10},
        "are in a random 10 % of people (0 to 10 %)",
    ),
    (
        "a share of another draw",
        {"type": "cohort", "from": 12.5, "to": 100, "seed": "spring"},
        "are in a random 87.5 % of people (12.5 to 100 %, draw “spring”)",
    ),
]


@pytest.mark.parametrize(("_case", "root", "text"), RULES)
def test_a_rule_reads_as_english(_case: str, root: dict[str, Any], text: str) -> None:
    rule = parse_rule({"version": 1, "root": root})
    assert describe(rule) == f"People who {text}."
