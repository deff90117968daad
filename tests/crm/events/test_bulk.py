"""People by COPY are the people that the same identify calls would have made."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from crm.events.bulk import count_people, save_knots, save_people
from crm.events.ingest import record_events
from crm.events.lines import Said, write_lines
from crm.events.staging import TOUCHED
from crm.models import Contact, Identifier, PendingEvent
from crm.profiles import make_identify

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
TRAITS = some.dictionaries(
    some.sampled_from(
        ["plan", "city", "email", "phone", "locale", "language", "timezone"]
    ),
    some.sampled_from(
        ["pro", "a@example.com", "B@Example.com", "+442079460000", "en", "Asia/Tokyo"]
    )
    | some.integers(-3, 3)
    | some.just('a\tb\\n"ü'),
    max_size=4,
)
NAMES = [f"u{n}" for n in range(1, 8)]
ROWS = some.lists(some.tuples(some.sampled_from(NAMES), TRAITS), max_size=8)
ADDRESSES = ["a@example.com", "A@example.com", "B@Example.com", "c@example.com"]
# By an id, or by an e-mail, which the traits need not say; an id may look like one.
SAID = some.lists(
    some.builds(
        Said,
        external_id=some.sampled_from([*NAMES, *NAMES, "a@example.com"]),
        email=some.just(""),
        traits=TRAITS,
    )
    | some.builds(
        Said,
        external_id=some.just(""),
        email=some.sampled_from(ADDRESSES),
        traits=TRAITS
        | some.fixed_dictionaries({"email": some.sampled_from(ADDRESSES)}),
    ),
    max_size=8,
)


def describe_people() -> dict[str, Any]:
    """All that is kept about everybody, but for keys of rows and times of writing."""
    return {
        name_person(contact): {
            "traits": contact.traits,
            "traits_at": contact.traits_at,
            "columns": [
                contact.email,
                contact.phone,
                contact.locale,
                contact.time_zone,
                contact.known_since,
                contact.last_active_at,
            ],
            "keys": sorted(str(key) for key in contact.identifiers.all()),
        }
        for contact in Contact.objects.all()
    }


def name_person(contact: Contact) -> str:
    """Those without an id are told apart by what leads to them."""
    keys = sorted(str(key) for key in contact.identifiers.all())
    return contact.external_id or " ".join(keys)


def save_all_at_once(said: list[Said], at: datetime) -> tuple[list[str], Any]:
    outcomes, touches = save_people(write_lines(said), at=at)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT contact_id, made, before::text FROM ({TOUCHED}) t")
        rows = [(pk, made, json.loads(text)) for pk, made, text in cursor.fetchall()]
    return outcomes, rows + [(t.contact_id, t.made, t.before) for t in touches]


def save_one_by_one(said: list[Said], at: datetime) -> tuple[list[str], Any]:
    outcomes, touches = save_knots(said, at=at)
    return outcomes, [(t.contact_id, t.made, t.before) for t in touches]


def call_each(rows: list[tuple[str, dict[str, Any]]], at: datetime) -> None:
    for name, traits in rows:
        record_events(
            [make_identify(traits, at, user_id=name)], received_at=at, source="api"
        )


def save_all(rows: list[tuple[str, dict[str, Any]]], at: datetime) -> list[str]:
    said = [Said(name, "", traits) for name, traits in rows]
    return save_people(write_lines(said), at=at)[0]


SAME = {"email": "B@Example.com"}
OTHER = {"email": "a@example.com"}
PHONE = {"phone": "+442079460000"}
LEFT = [("u1", SAME), ("u2", SAME), ("u1", OTHER)]


# The first to have an address keeps it, also where the second is new; until they have
# another.
@example([("u1", {})], [("u1", SAME), ("u2", SAME)], False)
@example([("u1", SAME)], [("u1", {"email": "a@example.com"}), ("u2", SAME)], False)
@example([], [("u1", SAME), ("u2", SAME), ("u1", {"email": "a@example.com"})], False)
# An address that somebody still has, and that leads to nobody since another left it:
# the first row to move, or to say it, has it.
@example(LEFT, [("u2", PHONE), ("u3", SAME)], False)
@example(LEFT, [("u3", SAME), ("u2", PHONE)], False)
@example(
    [*LEFT[:2], ("u4", SAME), LEFT[2]],
    [("u4", {"phone": "+442079460001"}), ("u2", PHONE)],
    False,
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=ROWS, rows=ROWS, is_late=some.booleans())
def test_both_roads_leave_the_same_people(
    before: list[tuple[str, dict[str, Any]]],
    rows: list[tuple[str, dict[str, Any]]],
    is_late: bool,
) -> None:
    first, second = (LATER, NOON) if is_late else (NOON, LATER)
    found = []
    for write in (call_each, save_all):
        with transaction.atomic():
            call_each(before, first)
            write(rows, second)
            found.append(describe_people())
            transaction.set_rollback(True)
    if is_late:
        # A late call makes a profile older; a file says nothing of when it began.
        for people in found:
            for person in people.values():
                person["columns"][4] = None
    assert found[0] == found[1]


# Somebody gives an address up that another row takes; in either order.
@example([Said("u1", "", SAME)], [Said("u1", "", OTHER), Said("u2", "", SAME)], False)
@example([Said("u1", "", SAME)], [Said("u2", "", SAME), Said("u1", "", OTHER)], False)
# Two rows find the same person by an id and by an e-mail.
@example(
    [Said("u1", "", SAME)], [Said("", SAME["email"], {}), Said("u1", "", {})], True
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=SAID, rows=SAID, is_late=some.booleans())
def test_sql_judges_a_file_as_its_rows_one_after_the_other(
    before: list[Said], rows: list[Said], is_late: bool
) -> None:
    first, second = (LATER, NOON) if is_late else (NOON, LATER)
    found = []
    for save in (save_one_by_one, save_all_at_once):
        with transaction.atomic():
            save_one_by_one(before, first)
            PendingEvent.objects.all().delete()
            counted = count_people(write_lines(rows), at=second)
            outcomes, touches = save(rows, second)
            assert counted == outcomes
            names = {c.pk: name_person(c) for c in Contact.objects.all()}
            waiting = PendingEvent.objects.values_list("contact_id", flat=True)
            found.append(
                (
                    describe_people(),
                    outcomes,
                    sorted((names[pk], *rest) for pk, *rest in touches),
                    sorted(names[pk] for pk in waiting),
                )
            )
            transaction.set_rollback(True)
    assert found[0] == found[1]


def test_each_row_says_what_it_came_to_and_what_an_undo_needs() -> None:
    save_all([("u1", {"plan": "free"})], NOON)
    said = [
        Said("u1", "", {"plan": "pro", "city": "Paris"}),
        Said("u1", "", {"plan": "pro"}),
        Said("u2", "", {"plan": "pro"}),
        Said("u2", "", {"plan": "team"}),
        Said("u2", "", {"plan": "team"}),
    ]
    outcomes, touches = save_people(write_lines(said), at=LATER)
    assert outcomes == ["changed", "same", "new", "changed", "same"]
    u1, u2 = Contact.objects.order_by("pk")
    assert [(t.contact_id, t.made) for t in touches] == [(u2.pk, True), (u1.pk, False)]
    assert touches[1].before == {
        "plan": ["free", NOON.timestamp()],
        "city": [None, None],
    }
    assert u2.traits == {"plan": "team"}


def test_somebody_known_by_an_e_mail_alone_is_found_by_it_and_made_by_it() -> None:
    save_all([("u1", {"email": "Ada@example.com"})], NOON)
    said = [
        Said("", "ADA@example.com", {"plan": "pro"}),
        Said("", "bob@example.com", {"email": "bob@example.com"}),
        Said("", "Bob@example.com", {"plan": "free"}),
    ]
    outcomes, _ = save_people(write_lines(said), at=LATER)
    assert outcomes == ["changed", "new", "changed"]
    ada, bob = Contact.objects.order_by("pk")
    assert (ada.traits["plan"], bob.traits["plan"]) == ("pro", "free")
    keys = bob.identifiers.order_by("kind").values_list("kind", "value")
    assert list(keys) == [
        (Identifier.Kind.ANONYMOUS_ID, "email:bob@example.com"),
        (Identifier.Kind.EMAIL, "bob@example.com"),
    ]


def test_who_was_made_or_changed_is_judged_once_more_and_nobody_else() -> None:
    save_all([("u1", {"plan": "free"}), ("u2", {"plan": "free"})], NOON)
    PendingEvent.objects.all().delete()
    save_all([("u1", {"plan": "free"}), ("u2", {"plan": "pro"}), ("u3", {})], LATER)
    waiting = PendingEvent.objects.order_by("contact_id")
    names = {c.pk: c.external_id for c in Contact.objects.all()}
    assert [names[row.contact_id] for row in waiting] == ["u2", "u3"]
    assert {row.name for row in waiting} == {"$identify"}


def test_a_thousand_people_cost_a_fixed_number_of_queries(
    django_assert_max_num_queries: Any,
) -> None:
    rows = [(f"p{n}", {"email": f"p{n}@example.com", "n": n}) for n in range(1_000)]
    with django_assert_max_num_queries(13):
        save_all(rows, NOON)
    assert Contact.objects.count() == 1_000


def test_consent_does_not_come_in_bulk() -> None:
    with pytest.raises(ValueError, match="Consent"):
        save_all([("u1", {"unsubscribed": False})], NOON)
    assert Contact.objects.count() == 0
