"""Computed traits and stages beside an event batch: no ring of waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from crm.computed.editing import save_computed
from crm.models import ComputedClock, ComputedTrait, Contact
from segments.lifecycle import save_stages
from segments.models import StageClock
from segments.rules.stages import SHIPPED
from segments.traits import build_next_piece, expire_traits
from tests.factories import make_contact
from tests.segments.races import OUR_ROWS, start, wait_for_queue

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
VIEWS = {
    "kind": "aggregate",
    "measure": "count",
    "name": "Viewed",
    "within": {"amount": 7, "unit": "days"},
}


@pytest.fixture
def people(transactional_db: None) -> Iterator[list[Contact]]:
    yield [make_contact() for _ in range(2)]
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_event, crm_auditentry")


def make_views() -> ComputedTrait:
    trait = ComputedTrait(key="views", label="Views", spec=VIEWS)
    return save_computed(trait, actor="test")


def run_beside(
    work: Callable[[], object], *, first: Contact, then: Callable[[], object]
) -> None:
    """Hold one person, as an event batch does, until `work` waits; then go on."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            faults.append(error)

    with transaction.atomic():
        Contact.objects.lock_in_order([first.pk])
        thread = start(run)
        wait_for_queue(OUR_ROWS)
        then()
    thread.join(10)
    assert not thread.is_alive()
    assert faults == []


def test_clocks_of_traits_and_stages_lock_people_apart(people: list[Contact]) -> None:
    ada, bob = people
    ComputedClock.objects.create(trait=make_views(), contact=bob, next_change_at=AT)
    version = save_stages(SHIPPED, actor="test")
    StageClock.objects.create(version=version, contact=ada, next_change_at=AT)
    run_beside(
        lambda: expire_traits(AT + timedelta(seconds=1)),
        first=ada,
        then=lambda: Contact.objects.lock_in_order([bob.pk]),
    )
    assert not ComputedClock.objects.exists()


def test_a_build_takes_the_clocks_of_people_it_holds(people: list[Contact]) -> None:
    ada, _ = people
    trait = make_views()
    ComputedClock.objects.create(trait=trait, contact=ada, next_change_at=AT)
    run_beside(
        lambda: build_next_piece(AT), first=ada, then=ComputedClock.objects.all().delete
    )
    trait.refresh_from_db()
    assert trait.done_to == max(one.pk for one in people)


def test_a_build_of_stages_takes_the_clocks_of_people_it_holds(
    people: list[Contact],
) -> None:
    ada, bob = people
    older = save_stages(SHIPPED, actor="test")
    for contact in people:
        StageClock.objects.create(version=older, contact=contact, next_change_at=AT)
    newer = save_stages(SHIPPED[1:], actor="test")
    run_beside(
        lambda: build_next_piece(AT),
        first=ada,
        then=StageClock.objects.filter(contact=ada).delete,
    )
    assert not StageClock.objects.filter(version=older).exists()
    newer.refresh_from_db()
    assert newer.done_to == bob.pk
