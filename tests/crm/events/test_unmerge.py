"""An undo gives back what a merge took, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from crm.events.merge import MergeRefused, merge_contacts
from crm.events.sources import OURS
from crm.events.unmerge import forget_journals, undo_merge
from crm.models import (
    AuditEntry,
    Contact,
    Device,
    Event,
    Identifier,
    Merge,
    MergeJournal,
    PendingEvent,
)
from crm.models.merge import UNDO_DAYS
from crm.ports.personal_data import personal_data_holders
from crm.profiles import find_contact
from notifications.models import Attempt, Delivery
from preferences.centers import ensure_default_center
from preferences.consent import Choice, record_choices, verify_ledger
from preferences.models import ConsentRecord, Subscription, Suppression
from preferences.suppressions import suppress_contact
from segments.models import Membership, Segment
from tests.crm.events.calls import record, run_together, say
from tests.factories import (
    NOON,
    make_campaign,
    make_contact,
    make_delivery,
    make_device,
    make_event,
    make_sender,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def merge(source: Contact, target: Contact) -> Merge:
    merge_contacts(source_id=source.pk, target_id=target.pk, actor="test")
    return Merge.objects.standing().get(source=source)


def undo(row: Merge, **said: Any) -> Contact:
    return undo_merge(row, actor="test", at=timezone.now(), **said)


def find_person(external_id: str) -> Contact:
    person = find_contact(external_id)
    assert person is not None
    return person


def describe(*people: Contact) -> list[Any]:
    """All that the database says of these contacts, but for when it was written."""
    told: list[Any] = []
    for person in people:
        row = Contact.objects.filter(pk=person.pk).values().get()
        del row["updated_at"]
        told.append(row)
        for model in (Identifier, Device, Event, Delivery, Attempt, Membership):
            rows = model._default_manager.filter(contact_id=person.pk)
            names = [f.attname for f in model._meta.fields if f.name != "origin_id"]
            # Rows of these that went come back under another key.
            if model in (Identifier, Membership):
                names = [name for name in names if name not in ("id", "created_at")]
            told.append(sorted(map(repr, rows.values_list(*names))))
        said = Subscription.objects.of_contacts([person.pk]).order_by(
            "topic", "channel"
        )
        told.append(list(said.values_list("center_id", "channel", "topic_id", "state")))
        told.append(
            list(Suppression.objects.of_contacts([person.pk]).values_list("pk"))
        )
    return told


def make_full_person(external_id: str | None, *, hours: int, **fields: Any) -> Contact:
    """Somebody of whom each table knows something."""
    person = make_contact(external_id, **fields)
    make_device(person)
    make_event(person, occurred_at=NOON + hours * HOUR)
    Contact.objects.filter(pk=person.pk).update(last_active_at=NOON + hours * HOUR)
    delivery = make_delivery(make_campaign(), person)
    Attempt.objects.create(
        delivery=delivery,
        contact=person,
        number=1,
        channel="push",
        state="sent",
        lease=delivery.pk,
        gated_at=NOON,
    )
    suppress_contact(person, channel="sms", reason="bounce", at=NOON, actor="rule")
    person.refresh_from_db()
    return person


@pytest.fixture
def pair() -> tuple[Contact, Contact]:
    """Two full people who disagree in everything that a merge decides."""
    gone = make_full_person(
        "old",
        hours=2,
        traits={"plan": "pro", "city": "Rome", "email": "old@b.co"},
        traits_at={"plan": 2.5, "city": 1.0, "gone": 9.0, "email": 1.0},
        email="old@b.co",
        known_since=NOON - HOUR,
    )
    stayed = make_full_person(
        "new",
        hours=1,
        traits={"plan": "free", "gone": "here"},
        traits_at={"plan": 1.0, "gone": 1.0},
        time_zone="Europe/Rome",
        known_since=NOON,
    )
    campaign = make_campaign()
    for number, person in enumerate((gone, stayed)):
        make_delivery(
            campaign, person, state="pending", created_at=NOON + number * HOUR
        )
    both = Segment.objects.create(name="Both", slug="both")
    one = Segment.objects.create(name="One", slug="one")
    for number, person in enumerate((gone, stayed)):
        at = NOON + number * HOUR
        Membership.objects.create(segment=both, contact=person, entered_at=at)
    Membership.objects.create(segment=one, contact=gone, entered_at=NOON)
    center = ensure_default_center(make_sender().brand)
    speak(gone, "page", Choice(subscribed=False), Choice("sms"))
    speak(stayed, "page", Choice("push"), Choice("sms", subscribed=False))
    assert center.topics.exists()
    return gone, stayed


def speak(person: Contact, source: str, *changes: Choice) -> None:
    center = ensure_default_center(make_sender().brand)
    record_choices(
        person, center=center, changes=changes, at=NOON, actor="self", source=source
    )


def test_an_undo_restores_both_as_they_were(pair: tuple[Contact, Contact]) -> None:
    gone, stayed = pair
    # The younger of two messages was cancelled, for good; all else comes back.
    waiting = Delivery.objects.filter(contact=stayed, state="pending")
    loser = waiting.get()
    before = describe(*pair)
    row = merge(gone, stayed)
    assert describe(*pair) != before
    undo(row, reason="wrong person")
    loser.refresh_from_db()
    assert (loser.state, loser.reason, loser.occurrence) == ("cancelled", "merged", "")
    after = describe(*pair)
    at = next(n for n, told in enumerate(before) if str(loser.pk) in str(told))
    assert [t for n, t in enumerate(after) if n != at] == [
        t for n, t in enumerate(before) if n != at
    ]
    assert len(after[at]) == len(before[at])
    entry = AuditEntry.objects.get(action="unmerged")
    assert (entry.object_id, entry.reason) == (str(gone.pk), "wrong person")
    row.refresh_from_db()
    assert row.undone_by == "test"
    assert verify_ledger(gone) == verify_ledger(stayed) == []
    ends = ConsentRecord.objects.heads([gone.uuid, stayed.uuid])
    assert {end.source for end in ends} == {"merge undone"}


def test_what_came_since_stays_unless_its_identifier_goes_back() -> None:
    record(say(user_id="old", at=-3), say(user_id="new", at=-2))
    old, new = find_person("old"), find_person("new")
    row = merge(old, new)
    record(say(user_id="old", name="By old", at=2), say(user_id="new", name="By new"))
    record(say("identify", user_id="old", traits={"said": "since"}))
    assert Event.objects.for_contact(new).count() == 4
    undo(row)
    mine = Event.objects.for_contact(old).values_list("name", flat=True)
    assert list(mine) == ["By old", "Viewed"]
    theirs = Event.objects.for_contact(new).values_list("name", flat=True)
    assert list(theirs) == ["By new", "Viewed"]
    # A word is not an event: who was told it keeps it.
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.traits, new.traits) == ({}, {"said": "since"})
    assert (old.last_active_at, new.last_active_at) == (NOON + 2 * HOUR, NOON)
    record(say(user_id="old", name="After"))
    assert Event.objects.for_contact(old).count() == 3


def test_pending_events_go_back_with_their_events() -> None:
    record(say(user_id="old"), say(user_id="new"))
    old, new = find_person("old"), find_person("new")
    undo(merge(old, new))
    for person in (old, new):
        pending = PendingEvent.objects.get(contact=person)
        assert Event.objects.get(pk=pending.event_id).contact_id == person.pk


def test_a_trait_said_since_stays_as_it_was_said(pair: tuple[Contact, Contact]) -> None:
    gone, stayed = pair
    row = merge(gone, stayed)
    record(say("identify", user_id="new", traits={"plan": "team"}))
    undo(row)
    stayed.refresh_from_db()
    gone.refresh_from_db()
    assert stayed.traits == {"plan": "team", "gone": "here"}
    assert gone.traits["plan"] == "pro"


def test_an_opt_out_said_since_holds_for_both(pair: tuple[Contact, Contact]) -> None:
    gone, stayed = pair
    row = merge(gone, stayed)
    speak(stayed, "page", Choice("push", subscribed=False), Choice("email"))
    suppress_contact(stayed, channel="", reason="manual", at=timezone.now(), actor="x")
    undo(row)
    said = {
        person: {
            (s.channel, s.state) for s in Subscription.objects.of_contacts([person.pk])
        }
        for person in pair
    }
    assert said[gone] == {
        ("", "unsubscribed"),
        ("sms", "subscribed"),
        ("push", "unsubscribed"),
    }
    assert said[stayed] == {
        ("sms", "unsubscribed"),
        ("push", "unsubscribed"),
        ("email", "subscribed"),
    }
    for person in pair:
        assert Suppression.objects.of_contacts([person.pk]).filter(channel="").exists()


def test_a_message_in_hand_goes_back_to_the_queue() -> None:
    gone, stayed = make_contact(), make_contact()
    delivery = make_delivery(make_campaign(), gone, state="pending")
    row = merge(gone, stayed)
    leased = {"lease": delivery.pk, "lease_until": NOON}
    Delivery.objects.update(state="claimed", **leased)
    undo(row)
    delivery.refresh_from_db()
    assert (delivery.contact_id, delivery.state, delivery.lease) == (
        gone.pk,
        "pending",
        None,
    )


def test_a_merge_before_a_later_one_can_be_undone_and_leaves_no_word() -> None:
    words = {"old": 1.0, "new": 2.0, "third": 3.0}
    people = [
        make_contact(name, traits={"a": name}, traits_at={"a": at})
        for name, at in words.items()
    ]
    old, new, third = people
    Contact.objects.filter(pk=new.pk).update(traits={}, traits_at={})
    first, second = merge(old, new), merge(third, new)
    undo(first)
    new.refresh_from_db()
    assert new.traits == {"a": "third"}
    undo(second)
    for person in people:
        person.refresh_from_db()
    assert [person.traits for person in people] == [{"a": "old"}, {}, {"a": "third"}]
    assert [person.external_id for person in people] == list(words)


def test_those_merged_before_follow_there_and_back() -> None:
    record(*(say(user_id=name) for name in ("a", "b", "c")))
    a, b, c = (find_person(name) for name in ("a", "b", "c"))
    first, second = merge(a, b), merge(b, c)
    record(say(user_id="a"), say(user_id="b"))
    with pytest.raises(MergeRefused, match="merged on since") as refused:
        undo(first)
    assert refused.value.code == "merged"
    undo(second)
    counts = [Event.objects.for_contact(person).count() for person in (a, b, c)]
    assert counts == [0, 4, 1]
    a.refresh_from_db()
    assert a.canonical == b
    undo(first)
    counts = [Event.objects.for_contact(person).count() for person in (a, b, c)]
    assert counts == [2, 2, 1]


def test_what_was_undone_can_be_merged_again() -> None:
    record(say(user_id="old"), say(user_id="new"))
    old, new = find_person("old"), find_person("new")
    for _ in range(2):
        row = merge(old, new)
        assert Event.objects.for_contact(new).count() == 2
        undo(row)
        assert Event.objects.for_contact(new).count() == 1
    assert Merge.objects.count() == 2


def spoil_time(row: Merge) -> None:
    late = timezone.now() - timedelta(days=UNDO_DAYS, seconds=1)
    Merge.objects.filter(pk=row.pk).update(made_at=late)


def spoil_by_erasure(row: Merge) -> None:
    for holder in personal_data_holders():
        holder.erase(row.source_id)


def spoil_by_another_merge(row: Merge) -> None:
    merge(row.target, make_contact())


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (undo, "undone"),
        (spoil_time, "too_late"),
        (spoil_by_erasure, "erased"),
        (spoil_by_another_merge, "merged"),
    ],
)
def test_an_undo_is_refused_with_its_reason_and_nothing_changes(
    spoil: Callable[[Merge], Any], code: str
) -> None:
    record(say(user_id="old"), say(user_id="new"))
    row = merge(find_person("old"), find_person("new"))
    spoil(row)
    row.refresh_from_db()
    before = describe(row.source, row.target)
    with pytest.raises(MergeRefused) as refused:
        undo(row)
    assert refused.value.code == code
    assert describe(row.source, row.target) == before


def test_journals_go_when_it_is_too_late_and_merges_stay() -> None:
    old = merge(make_contact(), make_contact())
    fresh = merge(make_contact(), make_contact())
    spoil_time(old)
    forget_journals(now=timezone.now())
    assert set(MergeJournal.objects.values_list("merge", flat=True)) == {fresh.pk}
    assert Merge.objects.count() == 2


def test_erasure_takes_the_journals_and_reasons_of_its_contact() -> None:
    source, target = make_contact(), make_contact()
    merge_contacts(
        source_id=source.pk, target_id=target.pk, actor="test", reason="Ada called"
    )
    spoil_by_erasure(Merge.objects.get())
    assert not MergeJournal.objects.exists()
    assert Merge.objects.get().reason == ""


@pytest.mark.django_db(transaction=True)
def test_events_beside_an_undo_go_where_their_identifier_leads() -> None:
    record(say(user_id="old"), say(user_id="new"))
    row = merge(find_person("old"), find_person("new"))
    batches = [
        [say(user_id=name, at=n) for n in range(5)] for name in ("old", "new") * 4
    ]
    run_together([partial(record, *batch) for batch in batches] + [partial(undo, row)])
    for name in ("old", "new"):
        assert Event.objects.for_contact(find_person(name)).count() == 21
    assert Contact.objects.canonical().count() == 2


@pytest.mark.parametrize("source", OURS)
def test_events_of_ours_are_no_activity_after_an_undo(source: str) -> None:
    record(say(user_id="old", at=-3), say(user_id="new", at=-2))
    old, new = find_person("old"), find_person("new")
    row = merge(old, new)
    for person in (old, new):
        make_event(person, "Price Dropped", occurred_at=NOON, source=source)
    undo(row)
    old.refresh_from_db()
    new.refresh_from_db()
    assert old.last_active_at == NOON - 3 * HOUR
    assert new.last_active_at == NOON - 2 * HOUR
