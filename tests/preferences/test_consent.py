from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models import Contact, PendingEvent
from preferences.centers import ensure_default_center
from preferences.consent import (
    Choice,
    Evidence,
    Statement,
    UnknownTopicError,
    clear_choices,
    merge_choices,
    rebuild_projection,
    record_choices,
    record_statements,
    verify_ledger,
)
from preferences.ledger import Fault
from preferences.models import ConsentRecord, Subscription
from tests.preferences.conftest import AT

PROMO = Choice(topic_key="promotions")

# Its owner may take a guard away, a superuser is not needed.
GUARDED = "ALTER TABLE preferences_consentrecord"


def say(contact, center, *changes, at=AT, **kwargs):
    facts = {"actor": "self", "source": "page"} | kwargs
    return record_choices(contact, center=center, changes=changes, at=at, **facts)


def read_projection(contact):
    rows = Subscription.objects.of_contacts([contact.pk]).select_related("topic")
    return {
        (row.channel, row.topic.key if row.topic else ""): row.state for row in rows
    }


def test_a_choice_writes_ledger_and_projection(contact, center):
    result = say(
        contact,
        center,
        Choice("push", "promotions"),
        locale="de",
        ip="203.0.113.77",
        proof="form 7",
    )
    [row] = ConsentRecord.objects.all()
    assert result.records == (row,)
    assert (row.contact_uuid, row.number) == (contact.uuid, 1)
    assert (row.center, row.channel, row.topic.key) == (center, "push", "promotions")
    assert (row.purpose, row.action, row.at) == ("promotional", "subscribed", AT)
    assert (row.actor, row.source, row.proof) == ("self", "page", "form 7")
    assert (row.wording_version, row.locale) == (1, "de")
    assert row.address == "203.0.113.0/24"
    assert row.previous_hash == ""
    assert len(row.hash) == 64
    assert read_projection(contact) == {("push", "promotions"): "subscribed"}


def test_a_change_leaves_a_row_for_segments_and_a_repeat_none(contact, center):
    for _ in range(2):
        say(contact, center, PROMO, Choice("push"))
    [row] = PendingEvent.objects.all()
    assert (row.contact, row.name, row.occurred_at) == (contact, "$consent", AT)


def test_the_same_choice_twice_writes_once(contact, center):
    say(contact, center, PROMO)
    assert say(contact, center, PROMO).records == ()
    assert ConsentRecord.objects.count() == 1


def test_a_first_no_is_written_though_nothing_was_allowed(contact, center):
    say(contact, center, Choice(subscribed=False))
    assert read_projection(contact) == {("", ""): "unsubscribed"}


def test_rows_are_chained_in_order(contact, center):
    say(contact, center, PROMO, Choice("push"), Choice(subscribed=False))
    rows = list(ConsentRecord.objects.of_person([contact.uuid]))
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.previous_hash for row in rows] == ["", rows[0].hash, rows[1].hash]


def test_an_unknown_topic_writes_nothing(contact, center):
    with pytest.raises(UnknownTopicError):
        say(contact, center, PROMO, Choice(topic_key="nonsense"))
    assert ConsentRecord.objects.count() == 0
    assert read_projection(contact) == {}


def test_a_contact_that_is_gone_gets_nothing(contact, center):
    Contact.objects.filter(pk=contact.pk).update(erased_at=AT)
    assert say(contact, center, PROMO).is_gone is True
    assert ConsentRecord.objects.count() == 0


def test_a_late_word_yields_to_a_newer_one(contact, center):
    say(contact, center, Choice(subscribed=False), at=AT)
    late = Evidence(AT - timedelta(days=3), "rule", "event:segment")
    statement = Statement(contact.pk, [Choice(subscribed=True)], late, is_dated=True)
    assert record_statements([statement], center=center)[contact.pk].records == ()
    assert read_projection(contact) == {("", ""): "unsubscribed"}


def test_a_thousand_people_take_as_many_queries_as_one(
    center, django_assert_num_queries
):
    people = Contact.objects.bulk_create(
        Contact(external_id=f"c{i}") for i in range(300)
    )
    evidence = Evidence(AT, "rule", "import")
    for group in (people[:1], people):
        statements = [Statement(p.pk, [PROMO, Choice("push")], evidence) for p in group]
        # savepoint, lock, topics, chain ends, projection, 3 writes, release
        with django_assert_num_queries(9):
            record_statements(statements, center=center)
    assert Subscription.objects.count() == 600


def run_guarded(statement):
    """With the guard that production has; test databases may be emptied."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL apropos.guard_truncate = 'on'")
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE preferences_consentrecord SET action = 'unsubscribed'",
        "DELETE FROM preferences_consentrecord",
        "TRUNCATE preferences_consentrecord CASCADE",
        "UPDATE preferences_centerwording SET texts = '{}'",
        "DELETE FROM preferences_centerwording",
        "TRUNCATE preferences_centerwording CASCADE",
    ],
)
def test_the_database_refuses_to_change_the_ledger(contact, center, statement):
    say(contact, center, PROMO)
    with pytest.raises(DatabaseError, match="append-only"):
        run_guarded(statement)
    assert ConsentRecord.objects.count() == 1
    assert verify_ledger(contact) == []


def tamper(sql, *params):
    """As one who owns the database would: with the guard out of the way."""
    with connection.cursor() as cursor:
        # A table with deferred checks to make cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"{GUARDED} DISABLE TRIGGER consent_append_only")
        cursor.execute(sql, params)
        cursor.execute(f"{GUARDED} ENABLE TRIGGER consent_append_only")


def test_a_tampered_row_is_named(contact, center):
    say(contact, center, PROMO, Choice("push"), Choice("email"))
    tamper("UPDATE preferences_consentrecord SET locale = 'xx' WHERE number = 2")
    assert verify_ledger(contact) == [Fault(2, "content does not match its hash")]


def test_a_cut_tail_is_found_by_the_projection(contact, center):
    say(contact, center, PROMO, Choice("push"))
    tamper("DELETE FROM preferences_consentrecord WHERE number = 2")
    faults = verify_ledger(contact)
    assert faults == [Fault(0, "the projection differs from the ledger")]


def test_rebuild_mends_a_projection_that_was_changed(contact, center):
    say(contact, center, PROMO, Choice("push", subscribed=False))
    before = read_projection(contact)
    Subscription.objects.all().delete()
    assert rebuild_projection(contact) == 2
    assert read_projection(contact) == before
    assert verify_ledger(contact) == []


def test_merge_takes_the_strictest_where_both_spoke(contact, center):
    other = Contact.objects.create(external_id="other")
    say(contact, center, PROMO, Choice("email", subscribed=False))
    say(
        other,
        center,
        Choice(topic_key="promotions", subscribed=False),
        Choice("email"),
        Choice("push", "new-content"),
    )
    assert merge_choices(other, contact, at=AT) == 2
    assert read_projection(contact) == {
        ("", "promotions"): "unsubscribed",
        ("email", ""): "unsubscribed",
        ("push", "new-content"): "subscribed",
    }
    assert read_projection(other) == {}
    assert verify_ledger(contact) == []
    assert verify_ledger(other) == []
    last = ConsentRecord.objects.heads([other.uuid]).get()
    assert (last.action, last.source) == ("cleared", "merge")


def test_clearing_ends_all_and_says_so_once(contact, center):
    say(contact, center, PROMO)
    assert clear_choices(contact, evidence=Evidence(AT, "rule", "erasure")) == 1
    assert read_projection(contact) == {}
    assert verify_ledger(contact) == []


CHOICES = st.builds(
    Choice,
    channel=st.sampled_from(["", "push", "email", "sms"]),
    topic_key=st.sampled_from(["", "order-updates", "promotions", "back-in-stock"]),
    subscribed=st.booleans(),
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([0, 1]), st.lists(CHOICES, max_size=6)),
        st.just("merge"),
        st.just("clear"),
    ),
    max_size=60,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=ACTIONS)
def test_the_ledger_rebuilds_the_projection(center, actions):
    """About 300 random actions in all; the projection is never ahead or behind."""
    people = [Contact.objects.create(), Contact.objects.create()]
    for step, action in enumerate(actions):
        at = AT + timedelta(seconds=step)
        if action == "merge":
            merge_choices(people[0], people[1], at=at)
        elif action == "clear":
            clear_choices(people[1], evidence=Evidence(at, "rule", "erasure"))
        else:
            say(people[action[0]], center, *action[1], at=at)
    for person in people:
        kept = Subscription.objects.of_contacts([person.pk]).as_projection()
        assert verify_ledger(person) == []
        rebuild_projection(person)
        rebuilt = Subscription.objects.of_contacts([person.pk]).as_projection()
        assert rebuilt == kept


@pytest.mark.django_db(transaction=True)
def test_eight_writers_make_one_chain(contact, center):
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        for step in range(10):
            say(contact, center, Choice("push", subscribed=(number + step) % 2 == 0))
        connection.close()

    threads = [threading.Thread(target=write, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify_ledger(contact) == []
    rows = list(ConsentRecord.objects.of_person([contact.uuid]))
    assert [row.action for row in rows] == [
        "subscribed" if i % 2 == (rows[0].action != "subscribed") else "unsubscribed"
        for i in range(len(rows))
    ]


@pytest.mark.django_db(transaction=True)
def test_a_write_waits_for_a_gate_that_holds_the_contact(contact, center):
    done = threading.Event()

    def write():
        say(contact, center, Choice(subscribed=False))
        done.set()
        connection.close()

    writer = threading.Thread(target=write)
    with transaction.atomic():
        Contact.objects.lock_in_order([contact.pk])
        writer.start()
        assert done.wait(0.4) is False
        assert read_projection(contact) == {}
    writer.join(5)
    assert done.is_set()
    assert read_projection(contact) == {("", ""): "unsubscribed"}


def test_a_center_is_made_once_with_its_five_topics(center):
    again = ensure_default_center(center.brand)
    assert again == center
    assert [(t.public_id, t.name) for t in center.topics.shown()] == [
        ("topic_1", "Order Updates"),
        ("topic_2", "Promotions & Deals"),
        ("topic_3", "Personalized Recommendations"),
        ("topic_4", "New Content Alerts"),
        ("topic_5", "Back-in-Stock Notifications"),
    ]
    assert center.text("master_label") == "Enable all notifications"
