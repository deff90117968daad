from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from crm.facts.attributes import Everyone
from crm.ports.facts import Scope, Selection, Sql
from segments import editing, membership
from segments.explain import Explained, explain_contact, preview_rule
from segments.rules.condition import Rule
from segments.rules.validate import parse_rule
from tests.factories import make_contact, make_device, make_event

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = {"amount": 7, "unit": "days"}
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
AWAY = {"type": "not_performed", "name": "app_open", "within": WEEK}


def read(root: Any) -> Rule:
    return parse_rule({"version": 1, "root": root})


def flatten(node: Explained) -> list[tuple[str, bool, str]]:
    inner = [line for child in node.children for line in flatten(child)]
    return [(node.path, node.matches, node.facts), *inner]


@pytest.mark.django_db
def test_each_node_answers_with_the_facts_that_decided() -> None:
    contact = make_contact(known_since=AT - 3 * DAY, traits={"plan": "free"})
    make_event(contact, "Viewed", occurred_at=AT - DAY, value=12)
    make_event(contact, "Viewed", occurred_at=AT - 2 * DAY, value=8.5)
    make_device(contact, platform="ios", last_seen_at=AT)
    viewed = {"type": "event", "name": "Viewed"}
    rule = read(
        {
            "all": [
                {
                    "none": [
                        PRO,
                        {"type": "attribute", "field": "email", "op": "exists"},
                    ]
                },
                {**viewed, "count": {"op": "at_least", "n": 2}, "within": WEEK},
                {**viewed, "sum": {"property": "value", "op": "more_than", "n": 20}},
                {"any": [AWAY, {"type": "device", "reachable": True}]},
                {"type": "everyone"},
            ]
        }
    )
    assert flatten(explain_contact(rule, contact.pk, at=AT)) == [
        ("root", True, ""),
        ("root.all[0]", True, ""),
        ("root.all[0].none[0]", False, 'plan is "free"'),
        ("root.all[0].none[1]", False, "no e-mail"),
        ("root.all[1]", True, "2 times, last on 2026-03-03 12:00:00 UTC"),
        (
            "root.all[2]",
            True,
            "total value is 20.5, from 2 events, the last on 2026-03-03 12:00:00 UTC",
        ),
        ("root.all[3]", True, ""),
        (
            "root.all[3].any[0]",
            False,
            "never did “app_open” in the last 7 days; "
            "known since 2026-03-01 12:00:00 UTC",
        ),
        ("root.all[3].any[1]", True, "devices: ios, granted, active, seen 2026-03-04"),
        ("root.all[4]", True, "is a contact"),
    ]


@pytest.mark.django_db
def test_explaining_and_membership_agree() -> None:
    segment = editing.save_segment(
        name="Away", rule={"version": 1, "root": AWAY}, actor="x"
    )
    people = [make_contact(known_since=AT - n * 5 * DAY) for n in range(4)]
    make_event(people[3], "app_open", occurred_at=AT - 6 * DAY)
    membership.refresh_segment(segment, at=AT)
    for one in people:
        told = explain_contact(read(AWAY), one.pk, at=AT)
        assert told.matches == membership.is_member(segment, one.pk)


@pytest.mark.django_db
def test_explaining_takes_one_query_and_one_for_each_leaf(
    django_assert_num_queries: Any,
) -> None:
    contact = make_contact()
    rule = read({"all": [PRO, {"any": [PRO, AWAY]}]})
    with django_assert_num_queries(4):
        explain_contact(rule, contact.pk, at=AT)


@pytest.mark.django_db
def test_a_preview_counts_all_and_shows_some() -> None:
    people = [make_contact(traits={"plan": "pro"}) for _ in range(25)]
    make_contact()
    preview = preview_rule(read(PRO), at=AT)
    assert (preview.size, preview.timed_out) == (25, False)
    assert list(preview.sample) == people[:4:-1]


@pytest.mark.django_db
def test_a_preview_that_takes_too_long_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def select_slowly(self: Everyone, scope: Scope) -> Selection:
        return Selection(Sql("SELECT 1::bigint AS contact_id FROM pg_sleep(30)"))

    monkeypatch.setattr(Everyone, "select", select_slowly)
    preview = preview_rule(read({"type": "everyone"}), at=AT, timeout_ms=50)
    assert (preview.size, preview.sample, preview.timed_out) == (None, (), True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == ("0",)
