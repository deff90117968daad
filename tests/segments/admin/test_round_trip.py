"""A condition that is opened and posted as it is shown means what it meant."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client

from crm.ports.facts import list_terms
from segments.admin.cards import Cards
from segments.admin.draft import ROOT, build_editor, read_draft
from segments.editing import save_segment, set_members
from segments.rules.condition import Rule
from segments.rules.validate import parse_rule
from tests.factories import make_contact
from tests.segments.admin.forms import read_fields
from tests.segments.admin.test_editor import (
    AT,
    PRO,
    make_segment,
    open_page,
    staff,
    url_of,
)

__all__ = ["staff"]

WEEK = {"amount": 7, "unit": "days"}
HOUR = {"amount": 1, "unit": "hours"}
# Of each kind: the least that it must say, then as it is with all it may say.
SAID: dict[str, list[dict[str, Any]]] = {
    "event": [
        {"name": "A"},
        {"name": "A", "sum": {"property": "p", "op": "less_than", "n": 1.5}},
        {"name": "A", "between": {"from": "2026-03-01"}},
    ],
    "not_performed": [
        {"name": "A", "within": WEEK},
        {"name": "A", "within": WEEK, "include_newcomers": True},
    ],
    "occurrence": [
        {"name": "A", "which": "first", "op": "before", "value": "2026-03-01"},
        {
            "name": "A",
            "which": "last",
            "having": [{"property": "p", "op": "in", "value": ["a", 1]}],
        },
    ],
    "aggregate": [
        {"measure": "count", "name": "A", "op": "gte", "value": 3},
        {
            "measure": "last",
            "name": "A",
            "property": "sku",
            "lines": "products",
            "lookup": {"catalog": "products", "field": "brand"},
            "within": WEEK,
            "op": "in",
            "value": ["a", "10"],
        },
    ],
    "sequence": [
        {"steps": [{"name": "A"}, {"name": "B"}]},
        {
            "steps": [{"name": "A"}, {"name": "B"}],
            "span": HOUR,
            "same": "p",
            "within": WEEK,
        },
    ],
    "not_followed": [{"first": {"name": "A"}, "then": {"name": "B"}}],
    "attribute": [
        {"trait": "t", "op": "exists"},
        {"trait": "t", "op": "in", "value": ["Shoes, Socks", "Hats"]},
        {"trait": "t", "op": "in", "value": ['"a', 'b", c', " d ", "1", 1, True, "e"]},
        {"trait": "t", "op": "in", "value": ["\\", '\\", "', "[1, 2]", "{", "null"]},
        {"field": "email", "op": "ends_with", "value": "@example.com"},
    ],
    "everyone": [{}],
    "device": [{}, {"reachable": True}, {"platform": "ios", "permission": ["denied"]}],
    "orders": [
        {"measure": "count", "op": "exactly", "n": 0},
        {"measure": "net", "op": "at_least", "n": 9.5, "currency": "EUR"},
    ],
    "last_order": [{"op": "within_last", "value": WEEK}],
    "cohort": [{"from": 10}, {"to": 12.5, "seed": "10"}],
    "consent": [
        {"state": "unsaid"},
        {"state": "pending", "topic": "t", "channel": "sms"},
    ],
    "segment": [{"segment": "vip"}, {"segment": "vip", "member": False}],
    "lifecycle": [
        {"stage": "new"},
        {"stage": ["at_risk"], "within": WEEK},
        {"stage": ["new", "at_risk"]},
        {"stage": ["a, b", 'c"', '"d', " e "]},
        {"stage": "a,b"},
    ],
    "message": [{"outcome": "sent"}, {"outcome": "opened", "campaign": 7}],
    "not_message": [
        {"outcome": "sent", "within": WEEK},
        {"outcome": "sent", "within": WEEK, "campaign": "7", "channel": "push"},
    ],
    "ignored": [{"last": 3}, {"last": 3, "after": HOUR, "within": WEEK}],
    "reachable": [
        {"channel": "push"},
        {"channel": "email", "reachable": False, "reason": ["suppressed"]},
    ],
}


def post_as_shown(root: Any) -> Any:
    """The tree that comes back from the page without a change."""
    view = Cards(root, ROOT, None).dress(build_editor(root, {}), "")
    html = render_to_string("segments/_node.html", {"node": view})
    fields = QueryDict(mutable=True)
    for name, values in read_fields(html).fields.items():
        fields.setlist(name, values)
    return read_draft(fields)


def read_rule(root: Any) -> Rule:
    return parse_rule({"version": 1, "root": root})


def test_every_kind_of_condition_is_told_here() -> None:
    assert set(SAID) == {term.kind for term in list_terms()}


@pytest.mark.parametrize(
    "node", [{"type": kind, **said} for kind, many in SAID.items() for said in many]
)
def test_what_is_not_said_means_the_same_once_it_is_posted(node: Any) -> None:
    root = {"all": [node]}
    assert read_rule(post_as_shown(root)) == read_rule(root)


@pytest.mark.django_db
@pytest.mark.parametrize("root", [PRO, {"any": [{"type": "device"}]}])
def test_new_words_about_a_segment_leave_its_people_alone(
    staff: Client, root: Any
) -> None:
    ada = make_contact()
    rule = {"version": 1, "root": root}
    segment = save_segment(name="Pro", rule=rule, actor="x", kind="static")
    set_members(segment, [ada.pk], actor="x", at=AT)
    make_segment({"type": "segment", "segment": "pro"}, "Builds on it")
    fields = open_page(staff, url_of(segment)).fields
    answer = staff.post(
        url_of(segment), {**fields, "description": "Pays", "do": "save"}
    )
    assert answer.status_code == 302
    segment.refresh_from_db()
    assert (segment.description, segment.state) == ("Pays", "live")
    assert [one.rule for one in segment.versions.all()] == [rule]
    assert list(segment.memberships.values_list("contact_id", flat=True)) == [ada.pk]
