"""Events in hand while somebody else has the same contacts in hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from crm.events.merge import merge_contacts
from crm.models import Contact, PendingEvent
from notifications import pipeline
from notifications.campaigns.launch import launch_campaign
from notifications.campaigns.runs import start_due_runs
from notifications.models import Campaign
from tests.factories import make_event
from tests.notifications.factories import lift_limits, make_campaign, make_reachable

pytestmark = pytest.mark.django_db(transaction=True)


def make_pending(person: Contact) -> None:
    event = make_event(person, "Product Added", occurred_at=timezone.now())
    PendingEvent.objects.create(
        event_id=event.pk,
        occurred_at=event.occurred_at,
        contact=person,
        name=event.name,
    )


def start(job: Callable[[], object], errors: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for_waiting(count: int) -> None:
    """Until so many other sessions of this database wait for a lock."""
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute(
                "SELECT count(*) FROM pg_sleep(0.01), pg_locks l "
                "JOIN pg_stat_activity a USING (pid) "
                "WHERE NOT l.granted AND a.datname = current_database()"
            )
            if cursor.fetchone()[0] >= count:
                return
    raise AssertionError("nobody waits")


def test_a_merge_beside_events_in_hand_ends_without_a_deadlock() -> None:
    """The merge holds the contacts, then wants the pending rows: whoever has these
    must have the contacts already."""
    lift_limits()
    campaign = launch_campaign(
        make_campaign(kind="event", trigger_event="Product Added"), by="test"
    )
    source, target = make_reachable(), make_reachable()
    make_pending(source)
    errors: list[BaseException] = []
    with transaction.atomic():
        Contact.objects.lock_in_order([source.pk, target.pk])
        worker = start(pipeline.process_events, errors)
        wait_for_waiting(1)
        # PostgreSQL ends the one whose wait of a second closed the ring: us.
        time.sleep(1.2)
        merge_contacts(source_id=source.pk, target_id=target.pk, actor="test")
    worker.join()
    assert errors == []
    pipeline.process_events()
    assert [row.contact_id for row in campaign.deliveries.all()] == [target.pk]
    assert not PendingEvent.objects.exists()


def test_a_campaign_that_staff_pause_meanwhile_is_not_finished() -> None:
    """Nor does it end the tick for the others."""
    quick, other = (
        launch_campaign(make_campaign(), by="test"),
        launch_campaign(make_campaign(), by="test"),
    )
    start_due_runs()
    errors: list[BaseException] = []
    with transaction.atomic():
        Campaign.objects.get(pk=quick.pk).pause(at=timezone.now(), reason="test")
        worker = start(pipeline.tick, errors)
        wait_for_waiting(1)
    worker.join()
    assert errors == []
    states = [Campaign.objects.get(pk=row.pk).state for row in (quick, other)]
    assert states == ["paused", "finished"]
