"""The one door: each accepted call has its effect once, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from crm.events.ingest import IngestResult
from crm.events.vocabulary import forget_written
from crm.models import (
    AuditEntry,
    Contact,
    Device,
    Event,
    EventName,
    Identifier,
    MessageKey,
    PendingEvent,
)
from crm.ports import effects
from tests.crm.events.calls import record, run_together, say
from tests.factories import NOON, make_contact, make_device, make_event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_vocabulary() -> Iterator[None]:
    forget_written()
    yield
    forget_written()


def test_a_track_call_makes_a_contact_an_event_and_a_pending_row() -> None:
    result = record(say(user_id="u1", message_id="m1", properties={"total": "12.50"}))
    assert result == IngestResult(accepted=1, duplicates=0)
    event = Event.objects.get()
    pending = PendingEvent.objects.get()
    assert event.contact.external_id == "u1"
    assert (event.name, event.message_id, event.source) == ("Viewed", "m1", "test")
    assert (event.value, event.occurred_at) == (Decimal("12.5"), NOON)
    assert (pending.event_id, pending.contact_id) == (event.id, event.contact_id)
    assert event.id.version == 7
    assert event.contact.last_active_at == NOON


def test_a_repeated_message_has_no_effect() -> None:
    record(say(user_id="u1", message_id="m1"))
    result = record(
        say(user_id="u2", message_id="m1"),
        say(user_id="u1", message_id="m2"),
        say(user_id="u1", message_id="m2"),
    )
    assert result == IngestResult(accepted=1, duplicates=2)
    assert Event.objects.count() == PendingEvent.objects.count() == 2
    assert MessageKey.objects.count() == 2
    assert Contact.objects.count() == 1


def test_calls_without_a_message_id_are_never_repeats() -> None:
    record(say(user_id="u1"), say(user_id="u1"))
    assert Event.objects.count() == 2
    assert not MessageKey.objects.exists()


def test_identify_leaves_a_pending_row_but_no_event() -> None:
    record(say("identify", user_id="u1", traits={"plan": "pro"}))
    assert Contact.objects.get().traits == {"plan": "pro"}
    assert PendingEvent.objects.get().name == "$identify"
    assert not Event.objects.exists()
    assert Contact.objects.get().last_active_at is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_word_wins_in_any_order(order: Sequence[int]) -> None:
    words = [
        say("identify", user_id="u1", at=0, traits={"plan": "free", "city": "Rome"}),
        say("identify", user_id="u1", at=1, traits={"plan": "pro", "city": None}),
        say("identify", user_id="u1", at=2, traits={"plan": "team"}),
    ]
    for number in order:
        record(words[number])
    assert Contact.objects.get().traits == {"plan": "team"}


def test_valid_special_traits_reach_their_columns_and_others_stay_traits() -> None:
    good = {
        "email": "Ann@Example.com",
        "phone": "+44 20 7946 0958",
        "timezone": "Europe/Rome",
        "locale": "pt_BR",
    }
    record(say("identify", user_id="u1", traits=good))
    bad = {"email": "nobody", "phone": "12", "timezone": "(GMT-08:00) PT", "locale": 5}
    record(say("identify", user_id="u1", at=1, traits=bad))
    contact = Contact.objects.get()
    assert contact.traits == bad
    assert (contact.email, contact.phone) == ("Ann@Example.com", "+442079460958")
    assert (contact.time_zone, contact.locale) == ("Europe/Rome", "pt-BR")
    keys = Identifier.objects.values_list("kind", "value")
    assert ("email", "ann@example.com") in keys
    assert ("phone", "+442079460958") in keys


def test_an_email_leads_to_the_first_who_had_it() -> None:
    record(say("identify", user_id="u1", traits={"email": "a@b.co"}))
    record(say("identify", user_id="u2", traits={"email": "A@b.co"}))
    assert Identifier.objects.get(kind="email").contact.external_id == "u1"
    assert Contact.objects.get(external_id="u2").email == "A@b.co"


def test_a_back_dated_event_makes_the_profile_older_but_not_more_active() -> None:
    record(say(user_id="u1"))
    record(say(user_id="u1", at=-24))
    contact = Contact.objects.get()
    assert contact.known_since == NOON - timedelta(hours=24)
    assert contact.last_active_at == NOON


def test_identify_names_the_anonymous_visitor() -> None:
    record(say(anonymous_id="a1"))
    record(say("identify", user_id="u1", anonymous_id="a1"))
    contact = Contact.objects.get()
    assert contact.external_id == "u1"
    assert Event.objects.get().contact == contact


def test_identify_merges_the_visitor_into_the_known_contact() -> None:
    record(say(user_id="u1"), say(anonymous_id="a1", at=-1))
    visitor = Contact.objects.get(external_id=None)
    make_device(visitor)
    record(say("identify", user_id="u1", anonymous_id="a1"))
    known = Contact.objects.get(external_id="u1")
    visitor.refresh_from_db()
    assert visitor.canonical == known
    assert set(Event.objects.values_list("contact", flat=True)) == {known.pk}
    assert Device.objects.get().contact == known
    assert known.known_since == NOON - timedelta(hours=1)
    assert AuditEntry.objects.get().action == "merged"
    # The visitor's id leads to the known contact from now on.
    record(say(anonymous_id="a1", at=1))
    assert Event.objects.for_contact(known).count() == 3


def test_all_of_a_story_in_one_batch_ends_at_one_contact() -> None:
    record(
        say(anonymous_id="a1"),
        say(user_id="u1"),
        say("identify", user_id="u1", anonymous_id="a1"),
        say(anonymous_id="a1"),
    )
    known = Contact.objects.canonical().get()
    assert known.external_id == "u1"
    assert Event.objects.for_contact(known).count() == 3
    assert PendingEvent.objects.filter(contact=known).count() == 4


def test_a_shared_device_stays_with_the_first_known_person() -> None:
    record(say("identify", user_id="u1", anonymous_id="a1"))
    record(say("identify", user_id="u2", anonymous_id="a1"))
    assert Contact.objects.canonical().count() == 2
    assert Identifier.objects.get(kind="anonymous_id").contact.external_id == "u1"


def test_an_alias_merges_even_known_people() -> None:
    record(say(user_id="old"), say(user_id="new"))
    record(say("alias", user_id="new", previous_id="old"))
    target = Contact.objects.get(external_id="new")
    assert Event.objects.for_contact(target).count() == 2
    record(say(user_id="old", at=1))
    assert Event.objects.for_contact(target).count() == 3


def test_aliases_in_a_circle_make_no_loop() -> None:
    record(say(user_id="a"), say(user_id="b"), say(user_id="c"))
    record(
        say("alias", user_id="b", previous_id="a"),
        say("alias", user_id="c", previous_id="b"),
        say("alias", user_id="a", previous_id="c"),
    )
    survivor = Contact.objects.canonical().get()
    merged = Contact.objects.exclude(pk=survivor.pk)
    assert set(merged.values_list("canonical", flat=True)) == {survivor.pk}
    assert Event.objects.for_contact(survivor).count() == 3


def test_a_track_call_with_both_ids_remembers_the_visitor() -> None:
    record(say(user_id="u1", anonymous_id="a1"))
    record(say(anonymous_id="a1"))
    assert Contact.objects.count() == 1


CONTEXT = {
    "device": {"token": "tok", "type": "Android", "permission": "granted"},
    "app": {"version": "2.1"},
    "timezone": "Europe/Rome",
}


def test_the_device_of_a_context_is_registered_and_follows_its_owner() -> None:
    record(say(user_id="u1", context=CONTEXT))
    device = Device.objects.get()
    assert (device.contact.external_id, device.platform) == ("u1", "android")
    assert (device.permission, device.app_version) == ("granted", "2.1")
    record(say(user_id="u2", at=1, context=CONTEXT))
    record(say(user_id="u1", at=-1, context=CONTEXT))
    device.refresh_from_db()
    assert device.contact.external_id == "u2"


@pytest.mark.parametrize("place", ["context", "properties"])
def test_customerios_device_events_register_and_remove(place: str) -> None:
    def tell(name: str, at: int, who: str = "u1") -> None:
        device = {"device": {"token": "tok", "type": "ios"}}
        about = {place: device} | ({} if place == "properties" else {"properties": {}})
        about["properties"] = {**about["properties"], "push_enabled": True}
        record(say(name=name, user_id=who, at=at, **about))

    tell("Device Created or Updated", 1)
    device = Device.objects.get()
    assert (device.token, device.platform, device.state) == ("tok", "ios", "active")
    assert device.attributes == {"push_enabled": True}
    assert count_device_changes() == 1
    tell("Device Deleted", 0)
    tell("Device Deleted", 3, who="u2")
    device.refresh_from_db()
    assert (device.state, device.contact.external_id) == ("active", "u1")
    tell("Device Deleted", 3)
    tell("Device Created or Updated", 2)
    device.refresh_from_db()
    assert (device.state, device.gone_at) == ("gone", NOON + timedelta(hours=3))
    assert count_device_changes() == 2
    tell("Device Created or Updated", 4)
    device.refresh_from_db()
    assert (device.state, device.gone_at) == ("active", None)
    # They are events too, as they were said.
    assert Event.objects.filter(name="Device Deleted").count() == 3


def count_device_changes() -> int:
    return PendingEvent.objects.filter(name="$device").count()


def test_a_token_that_comes_back_is_active_again() -> None:
    contact = make_contact("u1")
    device = make_device(contact, token="tok", state="gone", last_seen_at=NOON)
    record(say(user_id="u1", context={"device": {"token": "tok", "type": "ios"}}))
    device.refresh_from_db()
    assert (device.state, device.permission) == ("active", "granted")


@pytest.mark.parametrize(
    "device", [5, {}, {"token": 5}, {"token": ""}, {"token": "x" * 5_000}]
)
def test_a_device_without_a_usable_token_is_no_device(device: Any) -> None:
    record(say(user_id="u1", context={"device": device, "os": {"name": "iOS"}}))
    assert not Device.objects.exists()
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("properties", "value", "currency"),
    [
        ({"revenue": 5, "total": 7, "currency": "gbp"}, Decimal(5), "GBP"),
        ({"total": "19.99"}, Decimal("19.99"), ""),
        ({"value": "NaN", "price": 2}, Decimal(2), ""),
        ({"price": True}, None, ""),
        ({"total": 1e300, "currency": "pounds"}, None, ""),
        ({"total": "9" * 300}, None, ""),
    ],
)
def test_the_value_of_an_event_comes_from_its_money(
    properties: dict[str, Any], value: Decimal | None, currency: str
) -> None:
    record(say(user_id="u1", properties=properties))
    event = Event.objects.get()
    assert (event.value, event.currency) == (value, currency)


def test_the_vocabulary_is_written_once_and_grows_by_properties(
    django_assert_num_queries: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        record(say(user_id="u1", properties={"a": 1}))
    with django_capture_on_commit_callbacks(execute=True):
        record(say(user_id="u1", properties={"b": 1}))
    name = EventName.objects.get()
    assert (name.name, name.properties) == ("Viewed", ["a", "b"])
    # a savepoint and its release, look-up, lock, append
    with django_assert_num_queries(5):
        record(say(user_id="u1", properties={"a": 1, "b": 2}))


def test_a_batch_takes_the_same_number_of_queries_whatever_its_size(
    django_assert_max_num_queries: Any,
) -> None:
    with django_assert_max_num_queries(8):
        record(*(say(user_id=f"u{n}", message_id=f"m{n}") for n in range(200)))
    assert Contact.objects.count() == Event.objects.count() == 200


class _Recorder:
    event_names = frozenset({"Unsubscribed"})
    trait_names = frozenset({"unsubscribed"})

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def apply(self, said: Sequence[effects.Effect]) -> None:
        for effect in said:
            contact = Contact.objects.get(pk=effect.contact_id)
            self.seen.append((effect.name, contact.external_id or ""))


def test_effects_see_their_events_and_traits_in_the_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = _Recorder()
    monkeypatch.setattr(effects, "_providers", [recorder])
    record(
        say(user_id="u1", name="Unsubscribed"),
        say(user_id="u2"),
        say("identify", user_id="u3", traits={"unsubscribed": True}),
    )
    assert recorder.seen == [("Unsubscribed", "u1"), ("", "u3")]


def test_a_failing_effect_undoes_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    class _Broken(_Recorder):
        def apply(self, said: Sequence[effects.Effect]) -> None:
            raise RuntimeError("broken")

    monkeypatch.setattr(effects, "_providers", [_Broken()])
    with pytest.raises(RuntimeError):
        record(say(user_id="u1", name="Unsubscribed", message_id="m1"))
    assert not MessageKey.objects.exists()
    assert not Contact.objects.exists()


def test_events_of_someone_else_are_not_touched() -> None:
    other = make_event(make_contact())
    record(say(user_id="u1"))
    assert Event.objects.for_contact(other.contact).get() == other


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_sent_by_eight_threads_has_one_effect() -> None:
    batch = [
        say(
            "identify" if n % 5 == 0 else "track",
            user_id=f"u{n % 7}",
            anonymous_id=f"a{n % 7}",
            message_id=f"m{n}",
            traits={"n": n} if n % 5 == 0 else {},
        )
        for n in range(50)
    ]
    shuffled = [batch[n:] + batch[:n] for n in range(0, 48, 6)]
    results = run_together([partial(record, *batch) for batch in shuffled])
    assert sum(result.accepted for result in results) == 50
    assert sum(result.duplicates for result in results) == 350
    assert Contact.objects.count() == 7
    assert PendingEvent.objects.count() == 50
    assert Event.objects.count() == 40


@pytest.mark.django_db(transaction=True)
def test_new_people_met_by_many_threads_at_once_are_made_once() -> None:
    batches = [
        [say(user_id=f"u{n}", anonymous_id=f"a{n}") for n in order]
        for order in (range(20), range(19, -1, -1), range(5, 15), range(20))
    ]
    run_together([partial(record, *batch) for batch in batches])
    assert Contact.objects.count() == 20
    assert Identifier.objects.count() == 40
    assert Event.objects.count() == 70


@pytest.mark.django_db(transaction=True)
def test_merges_beside_events_lose_no_event() -> None:
    record(*(say(anonymous_id=f"a{n}") for n in range(10)))
    record(*(say(user_id=f"u{n}") for n in range(10)))
    linking = [
        say("identify", user_id=f"u{n}", anonymous_id=f"a{n}") for n in range(10)
    ]
    browsing = [say(anonymous_id=f"a{n}") for n in range(9, -1, -1)]
    batches = [linking, browsing, browsing, linking, browsing]
    run_together([partial(record, *batch) for batch in batches])
    assert Contact.objects.canonical().count() == 10
    merged = Contact.objects.exclude(canonical=None)
    assert not Event.objects.filter(contact__in=merged).exists()
    assert Event.objects.count() == 50
