from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from crm.facts.window import Window
from crm.models import Contact
from segments import membership
from segments.editing import save_segment
from segments.models import ContactClock, Membership, MembershipChange, Segment
from tests.factories import make_contact, make_device, make_event

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = {"amount": 7, "unit": "days"}
OPENED = {"type": "event", "name": "app_open", "within": WEEK}
AWAY = {"type": "not_performed", "name": "app_open", "within": WEEK}
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}


def make_segment(root: Any, name: str = "People", *, built: bool = True) -> Segment:
    segment = save_segment(name=name, rule={"version": 1, "root": root}, actor="test")
    if built:
        membership.refresh_segment(segment, at=AT)
        segment.refresh_from_db()
    return segment


def list_members(segment: Segment) -> set[int]:
    rows = Membership.objects.of_segment(segment)
    return set(rows.values_list("contact_id", flat=True))


def list_moves(segment: Segment) -> list[tuple[int, str, datetime, str]]:
    rows = MembershipChange.objects.filter(segment=segment).order_by("pk")
    return list(rows.values_list("contact_id", "action", "at", "reason"))


@pytest.fixture
def old() -> Contact:
    return make_contact(known_since=AT - 90 * DAY)


@pytest.mark.django_db
def test_a_first_build_finds_everybody_and_triggers_nobody(old: Contact) -> None:
    make_event(old, "app_open", occurred_at=AT - DAY)
    make_contact(known_since=AT - 90 * DAY)
    segment = make_segment(OPENED)
    assert list_members(segment) == {old.pk}
    assert list_moves(segment) == [(old.pk, "entered", AT, "the segment was built")]
    assert not MembershipChange.objects.unhandled().exists()
    assert (segment.state, segment.size, segment.refreshed_at) == ("live", 1, AT)


@pytest.mark.django_db
def test_an_event_moves_its_contact_and_nobody_else(old: Contact) -> None:
    other = make_contact(known_since=AT - 90 * DAY)
    segment = make_segment(OPENED)
    membership.touch_contacts([old.pk, other.pk], at=AT)
    make_event(old, "app_open", occurred_at=AT)
    make_event(other, "app_open", occurred_at=AT)
    changes = membership.touch_contacts([old.pk], at=AT, event_names=["app_open"])
    assert changes == [membership.Change(segment.pk, old.pk, "entered")]
    assert list_members(segment) == {old.pk}
    assert list_moves(segment) == [(old.pk, "entered", AT, "after “app_open”")]
    assert [row.contact_id for row in MembershipChange.objects.unhandled()] == [old.pk]


@pytest.mark.django_db
def test_each_segment_looks_only_at_those_who_did_what_it_mentions(
    old: Contact,
) -> None:
    other = make_contact(known_since=AT - 90 * DAY)
    opened = make_segment(OPENED)
    anything = make_segment(
        {"type": "attribute", "field": "last_active_at", "op": "exists"}, "Active"
    )
    membership.touch_contacts([old.pk, other.pk], at=AT)
    for contact in (old, other):
        make_event(contact, "app_open", occurred_at=AT)
        Contact.objects.filter(pk=contact.pk).update(last_active_at=AT)
    did = {"app_open": {old.pk}, "Viewed": {other.pk}}
    changes = membership.touch_performers(did, at=AT)
    # The other one opened the app too, but nobody said so yet.
    assert list_members(opened) == {old.pk}
    assert list_members(anything) == {old.pk, other.pk}
    assert len(changes) == 3
    assert list_moves(opened) == [(old.pk, "entered", AT, "after “app_open”")]
    [*_, (_, _, _, reason)] = list_moves(anything)
    assert reason == "after “Viewed”, “app_open”"


@pytest.mark.django_db
def test_a_stranger_who_performed_is_judged_by_every_segment(old: Contact) -> None:
    old.traits = {"plan": "pro"}
    old.save()
    segment = make_segment(OPENED)
    Membership.objects.all().delete()
    pro = save_segment(name="Pro", rule={"version": 1, "root": PRO}, actor="test")
    Segment.objects.filter(pk=pro.pk).update(state="live")
    membership.touch_performers({"Viewed": {old.pk}}, at=AT)
    assert list_members(pro) == {old.pk}
    assert list_members(segment) == set()
    assert membership.touch_performers({}, at=AT) == []


@pytest.mark.django_db
def test_events_nobody_mentions_cost_no_look(
    old: Contact, django_assert_num_queries: Any
) -> None:
    make_segment(OPENED)
    membership.touch_contacts([old.pk], at=AT)
    with django_assert_num_queries(3):
        assert membership.touch_contacts([old.pk], at=AT, event_names=["x"]) == []


@pytest.mark.django_db
def test_a_repeated_touch_changes_nothing(old: Contact) -> None:
    segment = make_segment(OPENED)
    make_event(old, "app_open", occurred_at=AT)
    for _ in range(3):
        membership.touch_contacts([old.pk], at=AT, event_names=["app_open"])
    assert len(list_moves(segment)) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "root", "known_days", "opened_days", "before", "moves_at"),
    [
        ("an exit", OPENED, 90, 6, True, AT + DAY),
        ("an entry", AWAY, 90, 6, False, AT + DAY),
        ("a newcomer grows old enough", AWAY, 6, None, False, AT + DAY),
        ("the younger of the two decides", AWAY, 5, 6, False, AT + 2 * DAY),
    ],
)
def test_time_alone_moves_people_at_the_very_second(
    _case: str,
    root: Any,
    known_days: int,
    opened_days: int | None,
    before: bool,
    moves_at: datetime,
) -> None:
    contact = make_contact(known_since=AT - known_days * DAY)
    if opened_days is not None:
        make_event(contact, "app_open", occurred_at=AT - opened_days * DAY)
    segment = make_segment(root)
    assert membership.is_member(segment, contact.pk) is before
    just_before = moves_at - timedelta(microseconds=1)
    assert membership.expire_memberships(just_before).changes == ()
    assert membership.is_member(segment, contact.pk) is before
    changes = membership.expire_memberships(moves_at).changes
    action = "left" if before else "entered"
    assert changes == (membership.Change(segment.pk, contact.pk, action),)
    assert membership.is_member(segment, contact.pk) is not before
    assert list_moves(segment)[-1] == (contact.pk, action, moves_at, "time passed")
    assert membership.expire_memberships(moves_at).looked == 0


@pytest.mark.django_db
def test_a_clock_that_is_too_early_sets_the_next_one(old: Contact) -> None:
    make_event(old, "app_open", occurred_at=AT - 6 * DAY)
    segment = make_segment(OPENED)
    make_event(old, "app_open", occurred_at=AT)
    membership.touch_contacts([old.pk], at=AT, event_names=["app_open"])
    clock = ContactClock.objects.get(segment=segment, contact=old)
    assert clock.next_change_at == AT + DAY
    expiry = membership.expire_memberships(AT + DAY)
    assert (expiry.looked, expiry.changes) == (1, ())
    clock = ContactClock.objects.get(segment=segment, contact=old)
    assert clock.next_change_at == AT + 7 * DAY
    assert membership.is_member(segment, old.pk)


@pytest.mark.django_db
def test_a_clock_moves_forward_when_something_ends_sooner(old: Contact) -> None:
    viewed = {
        "type": "event",
        "name": "Viewed",
        "within": {"amount": 1, "unit": "days"},
    }
    segment = make_segment({"any": [OPENED, {"all": [PRO, viewed]}]})
    make_event(old, "app_open", occurred_at=AT)
    membership.touch_contacts([old.pk], at=AT, event_names=["app_open"])
    assert clocks(segment) == [(old.pk, AT + 7 * DAY)]
    make_event(old, "Viewed", occurred_at=AT)
    membership.touch_contacts([old.pk], at=AT, event_names=["Viewed"])
    assert clocks(segment) == [(old.pk, AT + DAY)]


@pytest.mark.django_db
def test_an_event_from_a_clock_ahead_counts_when_its_moment_comes(
    old: Contact,
) -> None:
    segment = make_segment(OPENED)
    ahead = AT + timedelta(milliseconds=80)
    make_event(old, "app_open", occurred_at=ahead)
    membership.touch_contacts([old.pk], at=AT, event_names=["app_open"])
    assert not membership.is_member(segment, old.pk)
    membership.expire_memberships(ahead)
    assert membership.is_member(segment, old.pk)


@pytest.mark.django_db
def test_a_newcomer_is_judged_by_rules_that_mention_nothing_of_theirs() -> None:
    never = {"type": "not_performed", "name": "Order Completed"}
    segment = make_segment(never)
    newcomer = make_contact(known_since=AT)
    membership.touch_contacts([newcomer.pk], at=AT, event_names=["other"])
    assert list_members(segment) == {newcomer.pk}


@pytest.mark.django_db
def test_a_back_dated_event_of_another_name_ends_the_newcomer_rule() -> None:
    segment = make_segment(AWAY)
    contact = make_contact(known_since=AT)
    membership.touch_contacts([contact.pk], at=AT, event_names=["other"])
    assert list_members(segment) == set()
    Contact.objects.filter(pk=contact.pk).update(known_since=AT - 30 * DAY)
    membership.touch_contacts([contact.pk], at=AT, event_names=["other"])
    assert list_members(segment) == {contact.pk}


@pytest.mark.django_db
def test_traits_and_devices_move_people(old: Contact) -> None:
    pro = make_segment(PRO, "Pro")
    reachable = make_segment({"type": "device", "reachable": True}, "Reachable")
    membership.touch_contacts([old.pk], at=AT)
    Contact.objects.filter(pk=old.pk).update(traits={"plan": "pro"})
    make_device(old, last_seen_at=AT)
    membership.touch_contacts([old.pk], at=AT, trait_names=["plan"])
    assert (list_members(pro), list_members(reachable)) == ({old.pk}, set())
    membership.touch_contacts([old.pk], at=AT, trait_names=["$device"])
    assert list_members(reachable) == {old.pk}
    assert list_moves(pro)[-1][3] == "profile changed: plan"


@pytest.mark.django_db
def test_changes_pass_on_to_segments_that_name_the_changed_one(old: Contact) -> None:
    first = make_segment(PRO, "First")
    second = make_segment({"none": [{"type": "segment", "segment": "first"}]}, "Second")
    third = make_segment(
        {
            "all": [
                {"type": "segment", "segment": "second"},
                {"type": "segment", "segment": "first", "member": False},
            ]
        },
        "Third",
    )
    assert [one.depth for one in Segment.objects.in_order()] == [0, 1, 2]
    assert list_members(third) == {old.pk}
    Contact.objects.filter(pk=old.pk).update(traits={"plan": "pro"})
    changes = membership.touch_contacts([old.pk], at=AT, trait_names=["plan"])
    assert {(one.segment_id, one.action) for one in changes} >= {
        (first.pk, "entered"),
        (second.pk, "left"),
        (third.pk, "left"),
    }
    assert len(list_moves(third)) == 2


@pytest.mark.django_db
def test_a_refresh_passes_its_changes_on(old: Contact) -> None:
    first = make_segment(PRO, "First")
    second = make_segment({"type": "segment", "segment": "first"}, "Second")
    Contact.objects.filter(pk=old.pk).update(traits={"plan": "pro"})
    membership.refresh_segment(first, at=AT)
    assert list_members(second) == {old.pk}
    assert list_moves(second)[-1][3] == "“First” changed"


@pytest.mark.django_db
def test_an_edited_rule_serves_the_old_members_until_it_is_built(
    old: Contact,
) -> None:
    segment = make_segment({"type": "everyone"})
    save_segment(
        name="People", rule={"version": 1, "root": PRO}, actor="x", segment=segment
    )
    segment.refresh_from_db()
    assert (segment.state, list_members(segment)) == ("building", {old.pk})
    assert membership.refresh_waiting_segments(AT) == 1
    segment.refresh_from_db()
    assert (segment.state, list_members(segment)) == ("live", set())
    assert list_moves(segment)[-1][3] == "the rule was edited (version 2)"
    assert MembershipChange.objects.unhandled().count() == 1


@pytest.mark.django_db
def test_a_failed_build_keeps_the_members_and_says_why(
    old: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = make_segment({"type": "everyone"})
    monkeypatch.setattr(Window, "start", lambda self, at: "not a moment")
    save_segment(
        name="People", rule={"version": 1, "root": OPENED}, actor="x", segment=segment
    )
    assert membership.refresh_waiting_segments(AT) == 0
    segment.refresh_from_db()
    assert segment.state == "failed"
    assert "not a moment" in segment.failure
    assert list_members(segment) == {old.pk}


@pytest.mark.django_db
def test_touching_everybody_is_the_same_as_a_refresh() -> None:
    people = [
        make_contact(known_since=AT - n * DAY, traits={"plan": "pro"} if n % 2 else {})
        for n in range(12)
    ]
    for n, one in enumerate(people[::2]):
        make_event(one, "app_open", occurred_at=AT - n * 2 * DAY)
    root = {"any": [{"all": [PRO, AWAY]}, {"all": [OPENED, {"none": [PRO]}]}]}
    touched = make_segment(root, "Touched", built=False)
    refreshed = make_segment(root, "Refreshed")
    membership.touch_contacts([one.pk for one in people], at=AT)
    assert list_members(touched) == list_members(refreshed) != set()
    assert clocks(touched) == clocks(refreshed) != []


def clocks(segment: Segment) -> list[tuple[int, datetime]]:
    rows = ContactClock.objects.filter(segment=segment).order_by("contact_id")
    return list(rows.values_list("contact_id", "next_change_at"))


@pytest.mark.django_db
def test_members_can_be_planned_from(old: Contact) -> None:
    segment = make_segment({"type": "everyone"})
    sql, params = membership.member_ids_sql(segment)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.fetchall() == [(old.pk,)]
    assert membership.contact_segments(old.pk) == [segment]


@pytest.mark.django_db
def test_sizes_follow_the_members(old: Contact) -> None:
    segment = make_segment(OPENED)
    make_event(old, "app_open", occurred_at=AT)
    membership.touch_contacts([old.pk], at=AT, event_names=["app_open"])
    assert membership.count_sizes(AT) == 1
    segment.refresh_from_db()
    assert (segment.size, segment.sized_at) == (1, AT)


@pytest.mark.django_db
def test_merged_and_erased_contacts_are_in_no_segment(old: Contact) -> None:
    make_contact(canonical=old)
    make_contact(erased_at=AT)
    segment = make_segment({"none": [PRO]})
    assert list_members(segment) == {old.pk}


@pytest.mark.django_db
def test_handled_changes_are_claimed_once(old: Contact) -> None:
    segment = make_segment(PRO)
    Contact.objects.filter(pk=old.pk).update(traits={"plan": "pro"})
    membership.touch_contacts([old.pk], at=AT)
    claimed = MembershipChange.objects.claim_unhandled(10)
    assert [row.segment_id for row in claimed] == [segment.pk]
    ids = [row.pk for row in claimed]
    assert MembershipChange.objects.filter(pk__in=ids).mark_handled(AT) == 1
    assert MembershipChange.objects.claim_unhandled(10) == []
