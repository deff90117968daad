"""The loop closes: a report is an event again, and a purchase finds its message."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.events.ingest import record_events
from crm.events.limits import Limits
from crm.events.schema import parse_batch
from crm.models import Event, PendingEvent
from notifications import pipeline
from notifications.analytics.record import record_engagement
from notifications.models import Conversion
from tests.factories import make_campaign, make_contact, make_delivery

pytestmark = pytest.mark.django_db


def test_opened_message_converts_with_the_order_that_follows() -> None:
    now = timezone.now()
    sent_at = now - timedelta(hours=1)
    contact = make_contact("ada")
    campaign = make_campaign(goal_event="Order Completed", goal_anchor="opened")
    delivery = make_delivery(campaign, contact, sent_at=sent_at, gated_at=sent_at)
    record_engagement(
        delivery.pk,
        kind="opened",
        client_id="c1",
        at=sent_at + timedelta(minutes=5),
        received_at=now,
    )
    body = (
        b'{"batch": [{"type": "track", "event": "Order Completed", "userId": "ada",'
        b' "messageId": "o1", "properties": {"revenue": 25.5, "currency": "GBP"}}]}'
    )
    batch = parse_batch(body, received_at=now, limits=Limits())
    record_events(batch.items, received_at=now, source="segment")

    done = pipeline.process_events()

    assert (done.events, done.conversions) == (2, 1)
    assert not PendingEvent.objects.exists()
    row = Conversion.objects.get()
    assert (row.delivery_id, str(row.value), row.currency) == (
        delivery.pk,
        "25.5000",
        "GBP",
    )
    names = Event.objects.filter(contact=contact).values_list("name", flat=True)
    assert sorted(names) == ["Order Completed", "Push Opened"]


def test_event_processed_twice_converts_once() -> None:
    now = timezone.now()
    campaign = make_campaign(goal_event="Push Opened")
    delivery = make_delivery(campaign, make_contact("ada"), sent_at=now, gated_at=now)
    for client_id in ("phone", "tablet"):
        record_engagement(
            delivery.pk, kind="opened", client_id=client_id, at=now, received_at=now
        )

    pipeline.process_events()
    pipeline.process_events()

    assert Conversion.objects.count() == 1
