"""Computed traits where they are used: segments, templates, profiles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.computed.editing import delete_computed, save_computed
from crm.models import ComputedTrait, Contact
from crm.profiles import save_profile
from notifications.delivery.messages import describe_customer
from notifications.pipeline import process_events
from segments.editing import save_segment
from segments.lifecycle import save_stages
from segments.membership import contact_segments, refresh_segment
from segments.models import ContactStage, MembershipChange, Segment, StageChange
from segments.traits import build_next_piece, expire_traits, follow_events
from tests.factories import make_contact, make_event

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
VIEWS = {
    "kind": "aggregate",
    "measure": "count",
    "name": "Viewed",
    "within": {"amount": 7, "unit": "days"},
}


def make_views() -> ComputedTrait:
    trait = save_computed(
        ComputedTrait(key="views", label="Views", spec=VIEWS), actor="test"
    )
    ComputedTrait.objects.update(state="live")
    return trait


def make_segment(trait: str, op: str, value: Any, name: str = "Keen") -> Segment:
    leaf = {"type": "attribute", "trait": trait, "op": op, "value": value}
    if value is None:
        del leaf["value"]
    segment = save_segment(name=name, rule={"version": 1, "root": leaf}, actor="test")
    refresh_segment(segment, at=AT - 3 * DAY)
    return segment


def names(contact: Contact) -> list[str]:
    return [segment.name for segment in contact_segments(contact.pk)]


def test_an_event_moves_the_trait_and_then_the_segment_that_asks_for_it() -> None:
    make_views()
    segment, ada = make_segment("views", "gte", 2), make_contact()
    make_event(ada, "Viewed", occurred_at=AT - 2 * DAY)
    make_event(ada, "Viewed", occurred_at=AT - DAY)
    follow_events({"Other": {ada.pk}}, profiles=(), at=AT)
    assert names(ada) == []

    changes = follow_events({"Viewed": {ada.pk}}, profiles=(), at=AT)

    assert [(one.segment_id, one.action) for one in changes] == [
        (segment.pk, "entered")
    ]
    change = MembershipChange.objects.get()
    assert change.reason == "profile changed: views"


def test_time_moves_the_trait_and_the_segment_at_the_same_second() -> None:
    make_views()
    make_segment("views", "gte", 1)
    ada = make_contact()
    make_event(ada, "Viewed", occurred_at=AT - DAY)
    follow_events({"Viewed": {ada.pk}}, profiles=(), at=AT)
    assert names(ada) == ["Keen"]

    edge = AT + 6 * DAY
    assert expire_traits(edge - timedelta(seconds=1)) == (0, [])
    looked, changes = expire_traits(edge)
    assert (looked, [one.action for one in changes]) == (1, ["left"])
    assert names(ada) == []


def test_building_and_deleting_a_trait_move_the_segments_too() -> None:
    ada = make_contact()
    make_event(ada, "Viewed", occurred_at=AT - DAY)
    make_segment("views", "equals", 1)
    trait = make_views()
    ComputedTrait.objects.update(state="building")
    while build_next_piece(AT):
        pass
    assert names(ada) == ["Keen"]
    delete_computed(trait, actor="test", confirmed=True)
    while build_next_piece(AT):
        pass
    assert names(ada) == []


def test_stages_follow_a_trait_that_a_build_or_time_moves() -> None:
    leaf = {"type": "attribute", "trait": "views", "op": "gte", "value": 1}
    rules = {"keen": leaf, "others": {"type": "everyone"}}
    stages = [
        {"key": key, "label": key, "rule": {"version": 1, "root": root}}
        for key, root in rules.items()
    ]
    save_stages(stages, actor="test")
    ada = make_contact()
    make_event(ada, "Viewed", occurred_at=AT - DAY)
    while build_next_piece(AT):
        pass
    assert read_stage(ada) == "others"
    root = {"type": "lifecycle", "stage": ["keen"]}
    segment = save_segment(name="K", rule={"version": 1, "root": root}, actor="test")
    refresh_segment(segment, at=AT)

    make_views()
    ComputedTrait.objects.update(state="building")
    while build_next_piece(AT):
        pass
    assert (read_stage(ada), names(ada)) == ("keen", ["K"])

    _, changes = expire_traits(AT + 6 * DAY)
    assert (read_stage(ada), names(ada)) == ("others", [])
    assert [one.action for one in changes] == ["left"]
    reason = StageChange.objects.latest("pk").reason
    assert reason == "profile changed: views"


def read_stage(contact: Contact) -> str:
    return ContactStage.objects.get(contact=contact).stage


def test_a_computed_value_wins_over_a_said_one_and_neither_overwrites_the_other() -> (
    None
):
    ada = make_contact("ada", traits={"views": "many", "plan": "pro"})
    bob = make_contact("bob", traits={"views": 5})
    Contact.objects.filter(pk=ada.pk).update(computed={"views": 3})
    cases = [
        ("equals", 3, ["ada"]),
        ("equals", "many", []),
        ("equals", 5, ["bob"]),
        ("not_equals", "many", ["ada", "bob"]),
        ("in", [3, "many"], ["ada"]),
        ("in", [*range(3, 30)], ["ada", "bob"]),
        ("gt", 3, ["bob"]),
        ("lte", 3, ["ada"]),
        ("starts_with", "ma", []),
        ("exists", None, ["ada", "bob"]),
    ]
    for op, value, expected in cases:
        segment = make_segment("views", op, value, f"{op} {value}")
        found = segment.memberships.order_by("contact__external_id")
        assert list(found.values_list("contact__external_id", flat=True)) == expected

    save_profile(external_id="ada", traits={"views": 99}, actor="test", at=AT)
    ada.refresh_from_db()
    assert (ada.traits["views"], ada.computed) == (99, {"views": 3})
    assert describe_customer(ada)["traits"] == {"views": 3, "plan": "pro"}
    assert bob.known_traits == {"views": 5}


def test_an_event_that_comes_in_is_counted_when_it_is_processed() -> None:
    make_views()
    ada = save_profile(external_id="ada", traits={"plan": "pro"}, actor="t", at=AT)
    make_event(ada, "Viewed", occurred_at=datetime.now(UTC) - DAY)
    process_events()
    ada.refresh_from_db()
    assert ada.computed == {"views": 1}
