"""Messages follow a merge, are shown to their person, and outlive them unnamed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps

from crm.models import Contact
from crm.ports.personal_data import personal_data_holders
from notifications.analytics.conversions import match_conversions
from notifications.analytics.metrics import campaign_report
from notifications.analytics.personal_data import MessageHolder
from notifications.analytics.record import record_engagement
from notifications.models import (
    Attempt,
    Campaign,
    Conversion,
    Delivery,
    Engagement,
    RenderedMessage,
)
from tests.factories import (
    NOON,
    make_campaign,
    make_contact,
    make_delivery,
    make_device,
    make_event,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LEASE = {"lease": uuid.UUID(int=1), "lease_until": NOON}


def merge(source: Contact, target: Contact) -> Mapping[str, Any]:
    return MessageHolder().merge(source_id=source.pk, target_id=target.pk)


def make_story(contact: Contact) -> Delivery:
    """A message that was sent, clicked, and led to an order."""
    delivery = make_delivery(
        make_campaign("Win back", goal_event="Order Completed"),
        contact,
        detail="Ada said",
        locale="en-GB",
        due_zone="Europe/London",
    )
    Attempt.objects.create(
        delivery=delivery,
        contact=contact,
        device=make_device(contact),
        number=1,
        channel="push",
        state="sent",
        lease=uuid.uuid4(),
        gated_at=NOON,
        provider_id="projects/p/messages/1",
    )
    RenderedMessage.objects.create(
        delivery_id=delivery.pk,
        created_at=NOON,
        contact=contact,
        locale="en",
        fields={"title": "Hello Ada"},
    )
    record_engagement(
        delivery.pk, kind="clicked", client_id="c", at=NOON, received_at=NOON
    )
    match_conversions(
        [make_event(contact, occurred_at=NOON + HOUR, value="12.50", currency="GBP")]
    )
    return delivery


def test_holder_answers_for_every_model_with_a_contact() -> None:
    with_contact = {
        model._meta.label_lower
        for model in apps.get_app_config("notifications").get_models()
        for field in model._meta.get_fields()
        if field.concrete and field.related_model is Contact
    }

    # What an API call said belongs to its delivery's contact.
    assert with_contact | {"notifications.apisend"} == set(MessageHolder.models)
    registered = [type(holder) for holder in personal_data_holders()]
    assert registered.count(MessageHolder) == 1


def test_merge_moves_the_whole_story() -> None:
    gone, stayed = make_contact(), make_contact()
    delivery = make_story(gone)

    journal = merge(gone, stayed)

    assert journal == {"deliveries": [str(delivery.pk)], "clashes": []}
    for model in (Delivery, Attempt, RenderedMessage, Engagement, Conversion):
        rows = model._default_manager.values_list("contact_id", flat=True)
        assert list(rows) == [stayed.pk], model


@pytest.mark.parametrize(
    ("_case", "of_gone", "of_stayed", "gone_ends", "stayed_ends"),
    [
        (
            "both wait: the older stays",
            {"state": "pending", "created_at": NOON - HOUR},
            {"state": "pending"},
            ("pending", ""),
            ("cancelled", "merged"),
        ),
        (
            "both wait: the older stays, the other way",
            {"state": "pending"},
            {"state": "pending", "created_at": NOON - HOUR},
            ("cancelled", "merged"),
            ("pending", ""),
        ),
        (
            "one was sent: the one that waits ends, however old",
            {"state": "pending", "created_at": NOON - HOUR},
            {"state": "sent"},
            ("cancelled", "merged"),
            ("sent", ""),
        ),
        (
            "one may have arrived",
            {"state": "pending", "maybe_sent": True},
            {"state": "claimed", "created_at": NOON - HOUR, **LEASE},
            ("pending", ""),
            ("cancelled", "merged"),
        ),
        (
            "both may have arrived: nobody can call one back",
            {"state": "pending", "maybe_sent": True},
            {"state": "sent", "created_at": NOON - HOUR},
            ("unknown", ""),
            ("sent", ""),
        ),
        (
            "both ended: nothing changes but the person",
            {"state": "sent"},
            {"state": "skipped", "reason": "capped", "created_at": NOON - HOUR},
            ("sent", ""),
            ("skipped", "capped"),
        ),
    ],
)
def test_same_message_to_both_is_sent_once(
    _case: str,
    of_gone: dict[str, Any],
    of_stayed: dict[str, Any],
    gone_ends: tuple[str, str],
    stayed_ends: tuple[str, str],
) -> None:
    gone, stayed = make_contact(), make_contact()
    campaign = make_campaign()
    first = make_delivery(campaign, gone, **of_gone)
    second = make_delivery(campaign, stayed, **of_stayed)

    journal = merge(gone, stayed)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.reason) == gone_ends
    assert (second.state, second.reason) == stayed_ends
    assert first.contact_id == second.contact_id == stayed.pk
    [clash] = journal["clashes"]
    loser = Delivery.objects.get(pk=clash["id"])
    assert (loser.occurrence, clash["occurrence"]) == (f"merged:{loser.pk}", "")
    assert Delivery.objects.filter(occurrence="").count() == 1


def test_merge_takes_a_claimed_message_back() -> None:
    gone, stayed = make_contact(), make_contact()
    delivery = make_delivery(make_campaign(), gone, state="claimed", **LEASE)

    merge(gone, stayed)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.lease) == ("pending", None)


def test_merge_leaves_a_message_that_is_being_sent_to_its_worker() -> None:
    gone, stayed = make_contact(), make_contact()
    delivery = make_delivery(make_campaign(), gone, state="sending", **LEASE)

    merge(gone, stayed)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.lease) == ("sending", LEASE["lease"])
    assert delivery.contact_id == stayed.pk


def test_export_tells_what_was_said_and_what_came_of_it() -> None:
    contact = make_contact()
    make_story(contact)
    make_delivery(make_campaign(), contact, state="skipped", reason="capped")

    exported = MessageHolder().export(contact.pk)

    told = next(row for row in exported["messages"] if row["state"] == "sent")
    assert told == {
        "channel": "push",
        "campaign": "Win back",
        "state": "sent",
        "reason": "",
        "planned_at": "2026-03-04T12:00:00+00:00",
        "sent_at": "2026-03-04T12:00:00+00:00",
        "text": {"title": "Hello Ada"},
        "data": None,
        "reports": [
            {"kind": "clicked", "at": "2026-03-04T12:00:00+00:00", "button": ""}
        ],
        "conversions": [
            {"at": "2026-03-04T13:00:00+00:00", "value": "12.5000", "currency": "GBP"}
        ],
    }
    assert len(exported["messages"]) == 2
    json.dumps(exported)


def test_erasure_leaves_figures_without_a_person() -> None:
    contact, other = make_contact(), make_contact()
    delivery = make_story(contact)
    untouched = make_delivery(delivery.campaign, other, detail="stays")
    before = campaign_report(Campaign.objects.get(name="Win back"), at=NOON)

    counts = MessageHolder().erase(contact.pk)

    assert counts == {
        "notifications.delivery": 1,
        "notifications.attempt": 1,
        "notifications.apisend": 0,
        "notifications.renderedmessage": 1,
        "notifications.engagement": 1,
    }
    delivery.refresh_from_db()
    assert (delivery.detail, delivery.locale, delivery.due_zone) == ("", "", "")
    attempt = Attempt.objects.get()
    assert (attempt.device_id, attempt.provider_id) == (None, "")
    assert not RenderedMessage.objects.exists()
    assert not Engagement.objects.exists()
    assert campaign_report(delivery.campaign, at=NOON) == before
    untouched.refresh_from_db()
    assert untouched.detail == "stays"


@pytest.mark.parametrize(
    ("_case", "fields", "ends"),
    [
        ("waits", {"state": "pending"}, ("cancelled", "profile_erased")),
        ("claimed", {"state": "claimed", **LEASE}, ("cancelled", "profile_erased")),
        ("may have arrived", {"state": "pending", "maybe_sent": True}, ("unknown", "")),
        ("on its way", {"state": "sending", **LEASE}, ("sending", "")),
        ("ended", {"state": "skipped", "reason": "capped"}, ("skipped", "capped")),
    ],
)
def test_erasure_stops_what_waits(
    _case: str, fields: dict[str, Any], ends: tuple[str, str]
) -> None:
    delivery = make_delivery(make_campaign(), **fields)

    MessageHolder().erase(delivery.contact_id)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ends
