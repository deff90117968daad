"""Who was erased stays erased, whatever comes late, until staff let them back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from crm.events.schema import Item
from crm.events.tombstones import find_erased, find_graves
from crm.models import AuditEntry, Contact, Device, Event, PendingEvent, Tombstone
from crm.privacy import erase_contact, lift_tombstones
from crm.profiles import PersonErased, link_visitor, save_profile
from tests.crm.events.calls import record, say
from tests.factories import NOON, make_contact

pytestmark = pytest.mark.django_db
CALLS: list[tuple[str, Item]] = [
    ("the id", say(user_id="ada")),
    ("a profile", say("identify", user_id="ada", traits={"plan": "pro"})),
    ("the browser", say(anonymous_id="browser-1")),
    ("both", say(user_id="ada", anonymous_id="browser-2")),
    ("the e-mail as an id", say(user_id="Ada@Example.com")),
    ("the e-mail as the only key", say(anonymous_id="email:ada@example.com")),
    ("her e-mail", say("identify", user_id="x", traits={"email": "ADA@example.com"})),
    ("her phone", say("identify", user_id="x", traits={"phone": "+44 20 7946 0000"})),
    ("an alias of hers", say("alias", user_id="new", previous_id="browser-1")),
    ("an alias into her", say("alias", user_id="ada", previous_id="browser-3")),
]


@pytest.fixture
def ada() -> Contact:
    """Erased, with a browser, an e-mail and a phone number."""
    traits = {"email": "Ada@example.com", "phone": "+442079460000"}
    record(say("identify", user_id="ada", anonymous_id="browser-1", traits=traits))
    contact = Contact.objects.get()
    erase_contact(contact, actor="test")
    return contact


@pytest.mark.parametrize(("_case", "call"), CALLS, ids=[case for case, _ in CALLS])
def test_a_late_call_is_counted_and_makes_nobody(
    ada: Contact, _case: str, call: Item
) -> None:
    result = record(call, say(user_id="bob"))
    assert (result.accepted, result.duplicates, result.suppressed) == (1, 0, (0,))
    assert Contact.objects.canonical().get().external_id == "bob"
    assert Event.objects.count() == PendingEvent.objects.count() == 1
    assert not Device.objects.exists()


def test_only_keyed_hashes_are_kept(ada: Contact) -> None:
    # Two ids, an e-mail and a phone number.
    marks = [bytes(row.mark) for row in Tombstone.objects.all()]
    assert [len(mark) for mark in marks] == [32] * 4
    assert set(Tombstone.objects.values_list("contact", flat=True)) == {ada.pk}


def test_a_living_person_on_an_erased_device_is_heard_without_it(ada: Contact) -> None:
    bob = make_contact("bob")
    assert record(say(user_id="bob", anonymous_id="browser-1")).accepted == 1
    assert Event.objects.get().contact == bob
    assert [str(key) for key in bob.identifiers.all()] == ["external_id:bob"]
    link_visitor(bob, "browser-1", actor="test")
    assert bob.identifiers.count() == 1


def test_a_living_person_who_takes_over_the_address_is_heard(ada: Contact) -> None:
    record(say(user_id="bob"))
    told = say("identify", user_id="bob", at=1, traits={"email": "ada@example.com"})
    assert record(told).suppressed == ()
    assert Contact.objects.get(external_id="bob").email == "ada@example.com"


def test_all_keys_that_one_mark_stands_for_are_found(ada: Contact) -> None:
    keys = {
        ("external_id", "ada@example.com"),
        ("email", "ada@example.com"),
        ("anonymous_id", "email:ada@example.com"),
    }
    assert find_erased([*keys, ("email", "bob@example.com")]) == keys


def test_known_people_cost_no_query_and_newcomers_one(ada: Contact) -> None:
    record(say(user_id="bob"))

    def count_probes(*items: Item) -> int:
        asked: list[str] = []

        # Of a prepared statement the log keeps no text.
        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            asked.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            record(*items)
        return sum("crm_tombstone" in sql for sql in asked)

    assert count_probes(say(user_id="bob", at=1)) == 0
    assert count_probes(say(user_id="eve"), say(user_id="fay")) == 1


def test_staff_let_a_person_back_and_the_trail_says_so(ada: Contact) -> None:
    assert find_graves("Ada@example.com ") == [ada.pk]
    assert lift_tombstones(ada.pk, actor="test", reason="signed up again") == 4
    assert lift_tombstones(ada.pk, actor="test") == 0
    deed = AuditEntry.objects.get(action="unerased")
    assert (deed.object_id, deed.changes) == (str(ada.pk), {"marks": 4})
    assert record(say(user_id="ada")).accepted == 1
    assert Contact.objects.canonical().get().traits == {}


def test_erasing_again_changes_nothing(ada: Contact) -> None:
    assert erase_contact(ada, actor="test") == {}
    assert Tombstone.objects.count() == 4
    assert AuditEntry.objects.filter(action="erased").count() == 1


def test_who_may_return_leaves_no_tombstone() -> None:
    erase_contact(make_contact("ada"), actor="test", may_return=True)
    assert not Tombstone.objects.exists()
    assert record(say(user_id="ada")).accepted == 1


def test_a_tombstone_of_an_older_key_still_counts(ada: Contact, settings: Any) -> None:
    newer = "bmV3ZXJuZXdlcm5ld2VybmV3ZXJuZXdlcm5ld2VyMTI="
    settings.ENCRYPTION_KEYS = [newer, *settings.ENCRYPTION_KEYS]
    assert find_erased([("external_id", "ada")]) == {("external_id", "ada")}
    settings.ENCRYPTION_KEYS = [newer]
    assert find_erased([("external_id", "ada")]) == set()


def test_a_profile_by_hand_is_refused(ada: Contact) -> None:
    with pytest.raises(PersonErased):
        save_profile(external_id="ada", traits={}, actor="test", at=NOON)
    assert not Contact.objects.canonical().exists()
    assert not AuditEntry.objects.filter(action="edited").exists()
