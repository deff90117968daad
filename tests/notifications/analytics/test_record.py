"""Reports of devices: once, late, out of order, and what they prove."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from crm.events.merge import merge_contacts
from crm.models import Contact, Event, Identifier, PendingEvent
from notifications.analytics.record import (
    Recorded,
    Report,
    ReportTooLateError,
    record_engagement,
    record_engagements,
)
from notifications.models import Delivery, Engagement, RenderedMessage
from tests.factories import NOON, make_campaign, make_contact, make_delivery, make_event

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
RECEIVED = NOON + 60 * MINUTE


def report(delivery: Delivery, kind: str = "opened", **said: Any) -> Recorded:
    said = {"client_id": "c1", "at": NOON + MINUTE, "received_at": RECEIVED, **said}
    recorded = record_engagement(delivery.pk, kind=kind, **said)
    delivery.refresh_from_db()
    return recorded


@pytest.mark.parametrize(
    ("kind", "rungs", "event"),
    [
        ("delivered", {"delivered_at"}, None),
        ("opened", {"delivered_at", "opened_at"}, "Push Opened"),
        ("clicked", {"delivered_at", "opened_at", "clicked_at"}, "Push Clicked"),
        ("dismissed", {"delivered_at", "dismissed_at"}, "Push Dismissed"),
    ],
)
def test_each_kind_proves_its_rungs_and_becomes_an_event(
    kind: str, rungs: set[str], event: str | None
) -> None:
    delivery = make_delivery(make_campaign())

    assert report(delivery, kind) == Recorded(kind, True, NOON + MINUTE)

    times = ("delivered_at", "opened_at", "clicked_at", "dismissed_at")
    assert {name for name in times if getattr(delivery, name)} == rungs
    assert all(getattr(delivery, name) == NOON + MINUTE for name in rungs)
    names = list(Event.objects.values_list("name", flat=True))
    assert names == ([event] if event else [])
    assert PendingEvent.objects.count() == len(names)


def test_event_says_which_message_and_where_the_tap_led() -> None:
    delivery = make_delivery(make_campaign("Win back"))
    RenderedMessage.objects.create(
        delivery_id=delivery.pk,
        created_at=NOON,
        contact=delivery.contact,
        locale="en",
        fields={
            "link": "https://shop.example/",
            "buttons": [{"title": "Cart", "link": "https://shop.example/cart"}],
        },
    )

    report(delivery, "opened")
    report(delivery, "clicked", button="0")

    opened, clicked = Event.objects.order_by("name").reverse()
    assert (opened.name, opened.contact_id) == ("Push Opened", delivery.contact_id)
    assert opened.message_id == f"{delivery.pk}:opened:c1"
    assert opened.source == "push"
    assert opened.occurred_at == NOON + MINUTE
    assert opened.properties == {
        "delivery_id": str(delivery.pk),
        "campaign_id": delivery.campaign_id,
        "campaign": "Win back",
        "button": "",
        "link": "https://shop.example/",
    }
    assert clicked.properties["button"] == "0"
    assert clicked.properties["link"] == "https://shop.example/cart"


def test_repeat_changes_nothing() -> None:
    delivery = make_delivery(make_campaign())
    report(delivery)
    before = Delivery.objects.values().get()

    again = report(delivery, at=NOON + 2 * MINUTE)

    assert again == Recorded("opened", False, NOON + MINUTE)
    assert Delivery.objects.values().get() == before
    assert Engagement.objects.count() == Event.objects.count() == 1


def test_other_device_or_other_kind_is_a_report_of_its_own() -> None:
    delivery = make_delivery(make_campaign())
    said = [
        Report("opened", "phone", NOON + 5 * MINUTE),
        Report("opened", "tablet", NOON + 2 * MINUTE),
        Report("clicked", "phone", NOON + 9 * MINUTE, "1"),
        Report("opened", "phone", NOON),
    ]

    recorded = record_engagements(delivery.pk, said, received_at=RECEIVED)

    assert [row.new for row in recorded] == [True, True, True, False]
    delivery.refresh_from_db()
    assert delivery.opened_at == NOON + 2 * MINUTE
    assert delivery.clicked_at == NOON + 9 * MINUTE


@pytest.mark.parametrize(
    ("_case", "said", "kept"),
    [
        ("ahead of our clock", RECEIVED + MINUTE, RECEIVED),
        ("before the message left", NOON - MINUTE, NOON),
        ("in between", NOON + MINUTE, NOON + MINUTE),
    ],
)
def test_client_clock_is_cut_to_what_can_be(
    _case: str, said: datetime, kept: datetime
) -> None:
    delivery = make_delivery(make_campaign())

    report(delivery, at=said)

    assert delivery.opened_at == kept
    assert Event.objects.get().occurred_at == kept


def test_report_is_taken_for_ninety_days() -> None:
    delivery = make_delivery(make_campaign())
    last = NOON + timedelta(days=90)

    report(delivery, received_at=last)
    with pytest.raises(ReportTooLateError):
        report(delivery, client_id="c2", received_at=last + MINUTE)

    assert Engagement.objects.count() == 1


@pytest.mark.parametrize(
    ("_case", "fields"),
    [
        ("never left", {"state": "pending"}),
        ("was skipped", {"state": "skipped", "reason": "capped"}),
    ],
)
def test_message_that_never_left_takes_no_report(
    _case: str, fields: dict[str, str]
) -> None:
    delivery = make_delivery(make_campaign(), **fields)

    with pytest.raises(Delivery.DoesNotExist):
        report(delivery)
    with pytest.raises(Delivery.DoesNotExist):
        record_engagement(
            uuid.uuid4(), kind="opened", client_id="c", at=NOON, received_at=NOON
        )

    assert Engagement.objects.count() == Event.objects.count() == 0


def test_erased_person_is_not_written_about_again() -> None:
    delivery = make_delivery(make_campaign())
    Contact.objects.filter(pk=delivery.contact_id).update(erased_at=NOON)

    with pytest.raises(Delivery.DoesNotExist):
        report(delivery)


@pytest.mark.parametrize(
    ("_case", "fields"),
    [
        ("nobody knew", {"state": "unknown"}),
        ("the answer is still to come", {"state": "sending"}),
        ("waits to be sent again", {"state": "pending", "maybe_sent": True}),
        ("about to be sent again", {"state": "claimed", "maybe_sent": True}),
    ],
)
def test_report_proves_that_it_was_sent(_case: str, fields: dict[str, Any]) -> None:
    delivery = make_delivery(
        make_campaign(),
        gated_at=NOON,
        lease=uuid.uuid4(),
        lease_until=NOON,
        detail="The worker stopped before the answer.",
        **fields,
    )

    report(delivery, "delivered")

    assert (delivery.state, delivery.sent_at, delivery.lease) == ("sent", NOON, None)
    assert delivery.finished_at == NOON
    assert delivery.detail == ""


def test_report_does_not_change_another_end() -> None:
    delivery = make_delivery(
        make_campaign(), state="failed", reason="provider_refused", gated_at=NOON
    )

    report(delivery)

    assert (delivery.state, delivery.sent_at) == ("failed", None)
    assert delivery.opened_at == NOON + MINUTE


@pytest.mark.parametrize(
    ("_case", "state", "anchor"),
    [("anchor told late", "sent", "opened"), ("sent after all", "unknown", "sent")],
)
def test_purchase_before_the_report_converts(
    _case: str, state: str, anchor: str
) -> None:
    campaign = make_campaign(goal_event="Order Completed", goal_anchor=anchor)
    delivery = make_delivery(campaign, state=state)
    make_event(delivery.contact, occurred_at=NOON + 2 * MINUTE)

    assert report(delivery).new is True
    assert delivery.converted_at == NOON + 2 * MINUTE


@pytest.mark.parametrize(
    ("_case", "external_id", "email"),
    [("anonymous", None, ""), ("known by e-mail alone", None, "ada@example.com")],
)
def test_event_reaches_people_without_external_id(
    _case: str, external_id: str | None, email: str
) -> None:
    contact = make_contact(external_id, email=email)
    if email:
        contact.identifiers.exclude(kind=Identifier.Kind.EMAIL).delete()
    delivery = make_delivery(make_campaign(), contact)

    report(delivery)

    assert Event.objects.get().contact_id == contact.pk
    assert Contact.objects.count() == 1


def test_report_on_a_merged_person_goes_to_the_one_who_stayed() -> None:
    gone, stayed = make_contact(), make_contact()
    delivery = make_delivery(make_campaign(), gone)
    Delivery.objects.filter(pk=delivery.pk).update(contact=stayed)
    merge_contacts(source_id=gone.pk, target_id=stayed.pk, actor="rule")

    report(delivery)

    assert Engagement.objects.get().contact_id == stayed.pk
    assert Event.objects.get().contact_id == stayed.pk


def test_long_client_ids_are_told_apart() -> None:
    delivery = make_delivery(make_campaign())
    long = "projects/sandbox/messages/" + "0" * 73

    report(delivery, client_id=long + "a")
    report(delivery, client_id=long + "b")

    assert Event.objects.count() == 2


def test_report_takes_a_fixed_number_of_queries(
    django_assert_max_num_queries: Any,
) -> None:
    delivery = make_delivery(make_campaign(goal_event="Order Completed"))
    report(delivery, "delivered")

    with django_assert_max_num_queries(25):
        record_engagement(
            delivery.pk, kind="clicked", client_id="c", at=NOON, received_at=RECEIVED
        )
    with django_assert_max_num_queries(7):
        record_engagement(
            delivery.pk, kind="clicked", client_id="c", at=NOON, received_at=RECEIVED
        )


@pytest.mark.django_db(transaction=True)
def test_same_report_from_eight_threads_counts_once() -> None:
    delivery = make_delivery(make_campaign())
    start = threading.Barrier(8)
    answers: list[bool] = []

    def send() -> None:
        start.wait()
        try:
            answers.append(
                record_engagement(
                    delivery.pk,
                    kind="clicked",
                    client_id="c1",
                    at=NOON,
                    received_at=RECEIVED,
                ).new
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [False] * 7 + [True]
    assert Engagement.objects.count() == Event.objects.count() == 1
