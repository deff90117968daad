"""Events are append-only: the database says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from crm.models import Event
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Order Refunded"},
        {"properties": {"revenue": 1}},
        {"value": 1},
        {"received_at": NOON + timedelta(days=1)},
        {"message_id": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_content_of_an_event_never_changes(change: dict[str, Any]) -> None:
    event = make_event(make_contact())

    with (
        pytest.raises(IntegrityError, match="content never changes"),
        transaction.atomic(),
    ):
        Event.objects.filter(pk=event.pk).update(**change)

    before = Event.objects.get(pk=event.pk)
    assert {key: getattr(before, key) for key in change} == {
        key: getattr(event, key) for key in change
    }


def test_a_merge_moves_an_event_to_another_contact() -> None:
    event = make_event(make_contact())
    other = make_contact()

    Event.objects.filter(pk=event.pk).update(contact=other)

    assert Event.objects.get(pk=event.pk).contact_id == other.pk


def test_messages_and_contacts_write_no_index_that_nobody_reads() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE %s "
            "AND tablename IN ('crm_messagekey', 'crm_contact')",
            [r"%\_like"],
        )
        assert cursor.fetchall() == []
