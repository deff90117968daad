from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.computed.building import build_piece, recheck_lookups
from crm.computed.editing import delete_computed, save_computed
from crm.computed.telling import explain_traits, preview_values
from crm.computed.values import (
    expire_computed,
    load_definition,
    touch_computed,
)
from crm.events.merge import merge_contacts
from crm.models import AuditEntry, ComputedClock, ComputedTrait, Contact
from crm.ports.facts import RuleError
from crm.privacy import erase_contact
from tests.factories import make_contact, make_event, make_product

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SPENT = {"measure": "sum", "name": "Bought", "property": "value"}
COUNT = {"kind": "aggregate", "measure": "count", "name": "Viewed"}


def make_trait(key: str, spec: dict[str, Any], *, live: bool = True) -> ComputedTrait:
    trait = ComputedTrait(key=key, label=key.title(), spec=spec)
    save_computed(trait, actor="test")
    if live:
        ComputedTrait.objects.filter(pk=trait.pk).update(state="live")
    return trait


def build_all(*, size: int = 2, at: datetime = AT) -> int:
    """Pieces it took until nothing was left to build or to clear."""
    pieces = 0
    while build_piece(at=at, size=size).trait is not None:
        pieces += 1
    return pieces


def computed(contact: Contact) -> dict[str, Any]:
    contact.refresh_from_db()
    return contact.computed


def did(name: str, *contacts: Contact) -> dict[str, set[int]]:
    return {name: {contact.pk for contact in contacts}}


def test_an_event_moves_the_traits_that_name_it_of_those_who_did_it() -> None:
    ada, bob = make_contact(), make_contact()
    make_trait("views", COUNT)
    make_trait("spent", {"kind": "aggregate", **SPENT})
    for contact in (ada, bob):
        make_event(contact, "Viewed", occurred_at=AT - DAY)
        make_event(contact, "Bought", occurred_at=AT - DAY, value=9)

    moved = touch_computed(did("Viewed", ada), profiles=(), at=AT)

    assert moved == {"views": [ada.pk]}
    assert computed(ada) == {"views": 1}
    assert computed(bob) == {}
    assert touch_computed(did("Viewed", ada), profiles=(), at=AT) == {}
    assert touch_computed({}, profiles={bob.pk}, at=AT) == {
        "spent": [bob.pk],
        "views": [bob.pk],
    }


def test_one_statement_writes_all_traits_of_a_batch() -> None:
    people = [make_contact() for _ in range(3)]
    for contact in people:
        make_event(contact, "Viewed", occurred_at=AT - DAY, value=2)
    make_trait("views", COUNT)
    with CaptureQueriesContext(connection) as few:
        touch_computed(did("Viewed", *people[:1]), profiles=(), at=AT)
    for n in range(3):
        make_trait(f"more_{n}", {**COUNT, "measure": "last_at"})
    with CaptureQueriesContext(connection) as many:
        touch_computed(did("Viewed", *people), profiles=(), at=AT)
    # A clock each, and the same statement for the values.
    assert len(many) - len(few) == 3


def test_a_tier_follows_a_trait_said_or_computed_in_the_same_breath() -> None:
    ada, bob = make_contact(), make_contact(traits={"points": 20})
    steps = [{"at_least": 10, "value": "silver"}, {"at_least": 50, "value": "gold"}]
    make_trait("points", {"kind": "aggregate", **SPENT})
    make_trait("tier", {"kind": "tier", "of": {"trait": "points"}, "tiers": steps})
    make_event(ada, "Bought", occurred_at=AT - DAY, value=60)

    moved = touch_computed(did("Bought", ada), profiles=(), at=AT)
    assert moved == {"points": [ada.pk], "tier": [ada.pk]}
    assert computed(ada) == {"points": 60, "tier": "gold"}

    touch_computed({}, profiles={bob.pk}, at=AT)
    assert computed(bob) == {"tier": "silver"}


@pytest.mark.parametrize("deleted", [False, True])
def test_a_tier_goes_with_the_trait_it_is_made_of(deleted: bool) -> None:
    ada, bob = make_contact(), make_contact(traits={"points": 20})
    steps = [{"at_least": 10, "value": "silver"}, {"at_least": 50, "value": "gold"}]
    points = make_trait("points", {"kind": "aggregate", **SPENT})
    make_trait("tier", {"kind": "tier", "of": {"trait": "points"}, "tiers": steps})
    for contact in (ada, bob):
        make_event(contact, "Bought", occurred_at=AT - DAY, value=60)
    touch_computed(did("Bought", ada, bob), profiles=(), at=AT)
    if deleted:
        delete_computed(points, actor="test", confirmed=True)
    else:
        save_computed(points, actor="test", on=False, confirmed=True)

    moved = build_piece(at=AT).moved

    assert moved == {"points": [ada.pk, bob.pk], "tier": [ada.pk, bob.pk]}
    # What the profile says itself is the number then.
    assert (computed(ada), computed(bob)) == ({}, {"tier": "silver"})


def test_below_the_lowest_tier_there_is_no_value() -> None:
    ada = make_contact()
    make_event(ada, "Bought", occurred_at=AT - DAY, value=5)
    steps = [{"at_least": 5, "value": "silver"}, {"at_least": 50, "value": "gold"}]
    trait = make_trait("tier", {"kind": "tier", "of": SPENT, "tiers": steps})
    touch_computed(did("Bought", ada), profiles=(), at=AT)
    assert computed(ada) == {"tier": "silver"}
    trait.spec = {**trait.spec, "tiers": steps[1:]}
    save_computed(trait, actor="test")
    build_all()
    assert computed(ada) == {}


def test_time_alone_takes_a_value_away_at_its_second() -> None:
    ada = make_contact()
    make_trait("views", {**COUNT, "within": {"amount": 7, "unit": "days"}})
    make_event(ada, "Viewed", occurred_at=AT - 2 * DAY)
    make_event(ada, "Viewed", occurred_at=AT - DAY)
    touch_computed(did("Viewed", ada), profiles=(), at=AT)
    assert computed(ada) == {"views": 2}

    edge = AT + 5 * DAY
    assert expire_computed(edge - timedelta(seconds=1), limit=9) == (0, {})
    assert expire_computed(edge, limit=9) == (1, {"views": [ada.pk]})
    assert computed(ada) == {"views": 1}
    assert expire_computed(edge + DAY, limit=9) == (1, {"views": [ada.pk]})
    assert computed(ada) == {}
    assert not ComputedClock.objects.exists()


def test_a_new_trait_is_built_in_pieces_and_says_how_far_it_is() -> None:
    people = [make_contact() for _ in range(5)]
    for contact in people:
        make_event(contact, "Viewed", occurred_at=AT - DAY)
    trait = make_trait("views", COUNT, live=False)

    piece = build_piece(at=AT, size=2)
    assert piece.moved == {"views": [people[0].pk, people[1].pk]}
    trait.refresh_from_db()
    assert (trait.state, 0 < trait.progress_pct < 100) == ("building", True)
    assert build_all(size=2) == 3
    trait.refresh_from_db()
    assert (trait.state, trait.built_at, trait.progress_pct) == ("live", AT, 100)
    assert [computed(contact) for contact in people] == [{"views": 1}] * 5


def test_an_edit_serves_the_old_values_until_the_new_ones_are_there() -> None:
    ada, bob = make_contact(), make_contact()
    for contact in (ada, bob):
        make_event(contact, "Viewed", occurred_at=AT - DAY)
        make_event(contact, "Bought", occurred_at=AT - DAY)
        make_event(contact, "Bought", occurred_at=AT - DAY)
    trait = make_trait("n", COUNT, live=False)
    build_all()
    trait.spec = {**COUNT, "name": "Bought"}
    save_computed(trait, actor="test")
    assert (computed(ada), trait.version, trait.event_names) == (
        {"n": 1},
        2,
        ["Bought"],
    )
    build_piece(at=AT, size=1)
    assert (computed(ada), computed(bob)) == ({"n": 2}, {"n": 1})
    build_all()
    assert computed(bob) == {"n": 2}


def test_off_and_gone_take_the_values_from_everybody() -> None:
    ada = make_contact()
    make_event(ada, "Viewed", occurred_at=AT - DAY)
    first, second = (
        make_trait("a", COUNT, live=False),
        make_trait("b", COUNT, live=False),
    )
    build_all()
    first.refresh_from_db()
    save_computed(first, actor="test", on=False)
    delete_computed(second, actor="test")
    assert touch_computed(did("Viewed", ada), profiles=(), at=AT) == {}
    build_all()
    assert computed(ada) == {}
    first.refresh_from_db()
    assert first.state == "off"
    assert not ComputedTrait.objects.filter(key="b").exists()
    save_computed(first, actor="test", on=True)
    build_all()
    assert computed(ada) == {"a": 1}
    deeds = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(deeds) == ["created", "created", "edited", "deleted", "edited"]


def test_what_looks_into_a_catalog_is_built_anew_each_day() -> None:
    ada, shoe = make_contact(), make_product("s1", category="Shoes")
    make_event(ada, "Viewed", occurred_at=AT - DAY, properties={"sku": "s1"})
    lookup = {"catalog": "products", "field": "category"}
    spec = {**COUNT, "measure": "last", "property": "sku", "lookup": lookup}
    make_trait("category", spec, live=False)
    make_trait("views", COUNT, live=False)
    build_all()
    assert computed(ada) == {"category": "Shoes", "views": 1}
    type(shoe).objects.filter(pk=shoe.pk).update(category="Boots")
    assert recheck_lookups(AT + DAY) == 0
    assert recheck_lookups(AT + DAY + timedelta(seconds=1)) == 1
    build_all()
    assert computed(ada) == {"category": "Boots", "views": 1}


def test_a_merge_adds_up_and_an_erasure_leaves_nothing() -> None:
    ada, bob = make_contact(), make_contact()
    make_trait("views", COUNT)
    for contact in (ada, bob):
        make_event(contact, "Viewed", occurred_at=AT - DAY)
    touch_computed(did("Viewed", ada, bob), profiles=(), at=AT)

    merge_contacts(source_id=bob.pk, target_id=ada.pk, actor="test")
    later = datetime.now(UTC) + DAY
    assert expire_computed(later, limit=9)[1] == {"views": [ada.pk]}
    assert (computed(ada), computed(bob)) == ({"views": 2}, {})

    erase_contact(ada, actor="test")
    assert computed(ada) == {}
    assert not ComputedClock.objects.exists()


@pytest.mark.parametrize("key", ["email", "lifecycle_stage"])
def test_a_key_of_the_profile_is_refused(key: str) -> None:
    with pytest.raises(RuleError, match="is a column of the profile"):
        make_trait(key, COUNT)
    assert not ComputedTrait.objects.exists()


def test_a_tier_of_a_tier_of_a_trait_is_refused() -> None:
    steps = [{"at_least": 1, "value": "x"}]
    make_trait("one", {"kind": "tier", "of": {"trait": "points"}, "tiers": steps})
    with pytest.raises(RuleError, match=r"spec\.of\.trait"):
        make_trait("two", {"kind": "tier", "of": {"trait": "one"}, "tiers": steps})


def test_each_value_is_told_with_the_facts_behind_it() -> None:
    ada = make_contact()
    trait = make_trait("spent", {"kind": "aggregate", **SPENT})
    make_event(ada, "Bought", occurred_at=AT - DAY, value=1_250)
    touch_computed(did("Bought", ada), profiles=(), at=AT)
    ada.refresh_from_db()
    (told,) = explain_traits(ada, at=AT)
    assert (told.value, told.facts) == (
        "1250",
        "total value is 1,250, from one event, the last on 2026-03-03 12:00:00 UTC",
    )
    make_contact()
    preview = preview_values(load_definition(trait), at=AT, people=10)
    assert (preview.looked, list(preview.values)) == (2, [("1250", 1), ("no value", 1)])
