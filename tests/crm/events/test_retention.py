"""Partitions are there before their month; old message keys are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from crm.events.retention import CHUNK, forget_messages, prepare_months
from crm.models import Event, MessageKey
from crm.tasks import maintain
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db

# No migration makes partitions so far ahead.
NEW_YEAR_EVE = datetime(2091, 12, 31, 23, 59, tzinfo=UTC)


def list_partitions(year: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' "
            "AND relname LIKE %s ORDER BY 1",
            [f"crm_event_y{year}%"],
        )
        return [name for (name,) in cursor.fetchall()]


def test_partitions_are_made_for_three_months_ahead_once() -> None:
    assert prepare_months(now=NEW_YEAR_EVE) >= 4
    assert list_partitions(2091) == ["crm_event_y2091m12"]
    assert list_partitions(2092)[:3] == [
        "crm_event_y2092m01",
        "crm_event_y2092m02",
        "crm_event_y2092m03",
    ]
    assert prepare_months(now=NEW_YEAR_EVE) == 0


def test_events_that_waited_in_the_default_partition_move() -> None:
    event = make_event(make_contact(), occurred_at=NEW_YEAR_EVE)
    prepare_months(now=NEW_YEAR_EVE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM crm_event_y2091m12")
        assert cursor.fetchall() == [(event.id,)]
    assert Event.objects.get() == event


def test_keys_are_forgotten_after_seven_days_and_not_before() -> None:
    edge = NOON - timedelta(days=7)
    MessageKey.objects.bulk_create(
        MessageKey(message_id=f"old-{n}", seen_at=edge - timedelta(seconds=1))
        for n in range(CHUNK + 5)
    )
    MessageKey.objects.create(message_id="edge", seen_at=edge)
    assert forget_messages(now=NOON) == CHUNK + 5
    assert MessageKey.objects.get().message_id == "edge"


def test_the_tick_may_run_twice() -> None:
    maintain()
    maintain()
