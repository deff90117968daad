"""People by COPY are the people that the same identify calls would have made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from crm.events.bulk import Said, save_people
from crm.events.ingest import record_events
from crm.models import Contact, Identifier, PendingEvent
from crm.profiles import make_identify

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
TRAITS = some.dictionaries(
    some.sampled_from(["plan", "city", "email", "phone", "locale", "timezone"]),
    some.sampled_from(
        ["pro", "a@example.com", "B@Example.com", "+442079460000", "en", "Asia/Tokyo"]
    )
    | some.integers(-3, 3),
    max_size=4,
)
ROWS = some.lists(
    some.tuples(some.sampled_from(["u1", "u2", "u3", "u4"]), TRAITS), max_size=8
)


def describe_people() -> dict[str, Any]:
    """All that is kept about everybody, but for keys of rows and times of writing."""
    return {
        str(contact.external_id): {
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


def call_each(rows: list[tuple[str, dict[str, Any]]], at: datetime) -> None:
    for name, traits in rows:
        record_events(
            [make_identify(traits, at, user_id=name)], received_at=at, source="api"
        )


def save_all(rows: list[tuple[str, dict[str, Any]]], at: datetime) -> list[str]:
    return save_people([Said(name, "", traits) for name, traits in rows], at=at)[0]


SAME = {"email": "B@Example.com"}


# The first to have an address keeps it, also where the second is new; until they have
# another.
@example([("u1", {})], [("u1", SAME), ("u2", SAME)], False)
@example([("u1", SAME)], [("u1", {"email": "a@example.com"}), ("u2", SAME)], False)
@example([], [("u1", SAME), ("u2", SAME), ("u1", {"email": "a@example.com"})], False)
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


def test_each_row_says_what_it_came_to_and_what_an_undo_needs() -> None:
    save_all([("u1", {"plan": "free"})], NOON)
    said = [
        Said("u1", "", {"plan": "pro", "city": "Paris"}),
        Said("u1", "", {"plan": "pro"}),
        Said("u2", "", {"plan": "pro"}),
        Said("u2", "", {"plan": "team"}),
        Said("u2", "", {"plan": "team"}),
    ]
    outcomes, touches = save_people(said, at=LATER)
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
    outcomes, _ = save_people(said, at=LATER)
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
    with django_assert_max_num_queries(12):
        save_all(rows, NOON)
    assert Contact.objects.count() == 1_000


def test_consent_does_not_come_in_bulk() -> None:
    with pytest.raises(ValueError, match="Consent"):
        save_all([("u1", {"unsubscribed": False})], NOON)
    assert Contact.objects.count() == 0
