"""Messages on the contact page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from crm.ports.purposes import purpose_providers
from crm.ports.timeline import Entry, timeline_providers
from notifications.analytics.purposes import MessagePurposes
from notifications.analytics.timeline import MessageTimeline
from notifications.models import RenderedMessage
from notifications.reasons import Reason
from tests.factories import NOON, make_campaign, make_contact, make_delivery

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
EVER = datetime.max.replace(tzinfo=NOON.tzinfo)


def test_sent_message_shows_its_text_and_what_the_person_did() -> None:
    delivery = make_delivery(
        make_campaign("Win back"),
        opened_at=NOON + 3 * MINUTE,
        converted_at=NOON + 120 * MINUTE,
    )
    RenderedMessage.objects.create(
        delivery_id=delivery.pk,
        created_at=NOON,
        contact=delivery.contact,
        locale="en",
        fields={"title": "Hello Ada"},
    )

    [entry] = MessageTimeline().entries(delivery.contact_id, before=EVER, limit=9)

    assert entry == Entry(
        at=NOON,
        kind="message",
        title="Push “Win back”: sent",
        detail="Hello Ada · opened after 3\xa0minutes · converted after 2\xa0hours",
        url=entry.url,
        tone="good",
    )
    assert entry.url in ("", f"/admin/notifications/delivery/{delivery.pk}/change/")


def test_unsent_message_shows_its_reason_in_plain_english() -> None:
    delivery = make_delivery(
        make_campaign(),
        state="skipped",
        reason="capped",
        detail="One push a day.",
        finished_at=NOON + MINUTE,
    )

    [entry] = MessageTimeline().entries(delivery.contact_id, before=EVER, limit=9)

    assert entry.at == NOON + MINUTE
    assert entry.title.endswith(": skipped")
    assert entry.detail == f"{Reason.CAPPED.sentence} One push a day."
    assert entry.tone == "neutral"


def test_entries_come_newest_first_in_pages(django_assert_num_queries: Any) -> None:
    contact = make_contact()
    for minutes in range(5):
        make_delivery(make_campaign(), contact, sent_at=NOON + minutes * MINUTE)
    make_delivery(make_campaign())

    with django_assert_num_queries(2):
        page = MessageTimeline().entries(contact.pk, before=NOON + 4 * MINUTE, limit=3)

    assert [entry.at for entry in page] == [NOON + n * MINUTE for n in (3, 2, 1)]


def test_panel_counts_messages() -> None:
    contact = make_contact()
    make_delivery(make_campaign(), contact, opened_at=NOON)
    make_delivery(make_campaign(), contact)
    make_delivery(make_campaign(), contact, state="pending")

    [panel] = MessageTimeline().panels(contact.pk)
    [empty] = MessageTimeline().panels(make_contact().pk)

    assert panel.title == "Messages"
    assert panel.rows == (
        ("Sent", "2", ""),
        ("Opened", "1", ""),
        ("Waiting", "1", ""),
        ("Last sent", "04 Mar 2026 12:00 UTC", ""),
    )
    assert (empty.rows, empty.empty) == ((), "No message was planned yet.")


def test_providers_are_registered_once() -> None:
    timelines = [type(provider) for provider in timeline_providers()]
    purposes = [type(provider) for provider in purpose_providers()]

    assert timelines.count(MessageTimeline) == 1
    assert purposes.count(MessagePurposes) == 1
    assert all(use.kept_for for use in MessagePurposes().uses(1))
