"""Two connections at once: what is written beside a refresh is never lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from crm.models import Contact
from segments import diff, membership
from segments.editing import save_segment
from segments.models import ContactClock, Membership, Segment
from tests.factories import make_contact, make_event
from tests.segments.races import ADVISORY, OUR_ROWS, start, wait_for_queue

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
OPENED = {"type": "event", "name": "app_open", "within": {"amount": 7, "unit": "days"}}


@pytest.fixture
def segment(transactional_db: None) -> Iterator[Segment]:
    rule = {"version": 1, "root": OPENED}
    segment = save_segment(name="A", rule=rule, actor="x")
    membership.refresh_segment(segment, at=AT)
    yield segment
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_event, crm_auditentry")


@pytest.mark.django_db(transaction=True)
def test_a_refresh_waits_for_a_touch_and_sees_its_event(segment: Segment) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    with transaction.atomic():
        Contact.objects.lock_in_order([contact.pk])
        make_event(contact, "app_open", occurred_at=AT)
        membership.touch_contacts([contact.pk], at=AT, event_names=["app_open"])
        refresh = start(lambda: membership.refresh_segment(segment, at=AT))
        wait_for_queue(ADVISORY)
    refresh.join(10)
    assert membership.is_member(segment, contact.pk)
    assert segment.changes.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_touch_waits_for_a_refresh_that_has_looked_already(
    segment: Segment,
) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    Membership.objects.create(segment=segment, contact=contact)
    with transaction.atomic():
        # The refresh has looked, and stops at the row that it means to delete.
        Membership.objects.select_for_update().get(contact=contact)
        refresh = start(lambda: membership.refresh_segment(segment, at=AT))
        wait_for_queue(OUR_ROWS)

        def touch() -> None:
            with transaction.atomic():
                Contact.objects.lock_in_order([contact.pk])
                make_event(contact, "app_open", occurred_at=AT)
                membership.touch_contacts([contact.pk], at=AT, event_names=["app_open"])

        thread = start(touch)
        wait_for_queue(ADVISORY)
    refresh.join(10)
    thread.join(10)
    assert membership.is_member(segment, contact.pk)


@pytest.mark.django_db(transaction=True)
def test_a_first_build_waits_for_touches_that_do_not_know_the_segment(
    segment: Segment,
) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    with transaction.atomic():
        Contact.objects.lock_in_order([contact.pk])
        membership.touch_contacts([contact.pk], at=AT, event_names=["Viewed"])
        make_event(contact, "Viewed", occurred_at=AT)

        def build() -> None:
            root = {"type": "event", "name": "Viewed"}
            rule = {"version": 1, "root": root}
            made = save_segment(name="B", rule=rule, actor="x")
            membership.refresh_segment(made, at=AT)

        thread = start(build)
        wait_for_queue(ADVISORY)
    thread.join(10)
    assert membership.is_member(Segment.objects.get(name="B"), contact.pk)


@pytest.mark.django_db(transaction=True)
def test_a_refresh_overtaken_by_an_edit_waits_for_touches_by_the_older_rule(
    segment: Segment,
) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))

    def touch() -> None:
        with transaction.atomic():
            Contact.objects.lock_in_order([contact.pk])
            make_event(contact, "app_open", occurred_at=AT)
            membership.touch_contacts([contact.pk], at=AT, event_names=["app_open"])

    def edit() -> None:
        rule = {"version": 1, "root": {"type": "event", "name": "Viewed"}}
        save_segment(name="A", rule=rule, actor="x", segment=segment)

    with transaction.atomic():
        diff.lock_segment(segment.pk, shared=True)
        refresh = start(lambda: membership.refresh_segment(segment, at=AT))
        wait_for_queue(ADVISORY)
        # It knows the older rule, and stands in the queue behind the refresh.
        thread = start(touch)
        wait_for_queue(ADVISORY, waiting=2)
        start(edit).join(10)
    refresh.join(10)
    thread.join(10)
    segment.refresh_from_db()
    assert segment.state == "live"
    assert not membership.is_member(segment, contact.pk)


@pytest.mark.django_db(transaction=True)
def test_many_touches_of_the_same_people_end_in_one_row_each(
    segment: Segment,
) -> None:
    contacts = [make_contact(known_since=AT - timedelta(days=90)) for _ in range(8)]
    ids = [contact.pk for contact in contacts]
    for contact in contacts:
        make_event(contact, "app_open", occurred_at=AT)

    def touch() -> None:
        for _ in range(5):
            with transaction.atomic():
                Contact.objects.lock_in_order(ids)
                membership.touch_contacts(ids, at=AT, event_names=["app_open"])

    def expire() -> None:
        for _ in range(5):
            membership.expire_memberships(AT + timedelta(days=1))

    def refresh() -> None:
        for _ in range(3):
            membership.refresh_segment(segment, at=AT)

    threads = [start(work) for work in (touch, touch, expire, refresh)]
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a ring of waits"
    assert Membership.objects.of_segment(segment).count() == 8
    assert segment.changes.count() == 8


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_each_due_clock_once(segment: Segment) -> None:
    contacts = [make_contact(known_since=AT - timedelta(days=90)) for _ in range(6)]
    for contact in contacts:
        make_event(contact, "app_open", occurred_at=AT - timedelta(days=6))
    membership.refresh_segment(segment, at=AT)
    later = AT + timedelta(days=1)
    threads = [start(lambda: membership.expire_memberships(later)) for _ in range(3)]
    for thread in threads:
        thread.join(30)
    assert segment.changes.filter(action="left").count() == 6
    assert not ContactClock.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_tick_leaves_the_clocks_to_a_build_that_holds_the_segment(
    segment: Segment,
) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    ContactClock.objects.create(segment=segment, contact=contact, next_change_at=AT)
    looked: list[int] = []
    with transaction.atomic():
        diff.lock_segment(segment.pk, shared=False)
        later = AT + timedelta(seconds=1)
        tick = start(lambda: looked.append(membership.expire_memberships(later).looked))
        wait_for_queue(ADVISORY)
        ContactClock.objects.filter(segment=segment).delete()
    tick.join(10)
    assert looked == [1]


@pytest.mark.django_db(transaction=True)
def test_a_build_that_lost_a_ring_of_waits_is_tried_again_at_once(
    segment: Segment,
) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    clock = ContactClock(segment=segment, contact=contact, next_change_at=AT)
    clock.save()
    root = {"type": "everyone"}
    rule = {"version": 1, "root": root}
    save_segment(name="A", rule=rule, actor="x", segment=segment)
    with transaction.atomic():
        ContactClock.objects.select_for_update().get(pk=clock.pk)
        build = start(lambda: membership.refresh_waiting_segments(AT))
        wait_for_queue(OUR_ROWS)
        # The build began to wait first, so it is the one that is given up.
        diff.lock_segment(segment.pk, shared=True)
    build.join(10)
    segment.refresh_from_db()
    assert (segment.state, segment.build_started_at) == ("building", None)
    assert membership.refresh_waiting_segments(AT) == 1
    assert membership.is_member(segment, contact.pk)


@pytest.mark.django_db
def test_a_build_that_failed_is_tried_again_after_an_hour() -> None:
    rule = {"version": 1, "root": OPENED}
    segment = save_segment(name="A", rule=rule, actor="x")
    segment.fail_build("canceling statement due to statement timeout")
    assert segment.failed_at is not None
    edge = segment.failed_at + membership.RETRY_AFTER
    assert membership.refresh_waiting_segments(edge) == 0
    assert membership.refresh_waiting_segments(edge + timedelta(seconds=1)) == 1
    segment.refresh_from_db()
    assert (segment.state, segment.failure) == ("live", "")


def test_a_touch_without_contacts_asks_nothing() -> None:
    assert membership.touch_contacts([], at=AT) == []
    assert diff.LOCK_CLASS > 0
