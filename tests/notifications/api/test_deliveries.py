"""Messages over the API: filtered, paged, with their whole story."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from crm.models import Contact
from notifications.analytics.record import record_engagement
from notifications.models import Attempt, RenderedMessage
from notifications.reasons import Reason
from tests.factories import NOON, make_campaign, make_contact, make_delivery

pytestmark = pytest.mark.django_db
ByKey = Callable[..., APIClient]


def find(client: APIClient, query: str) -> list[str]:
    answer = client.get(f"/api/deliveries/?{query}")
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def test_messages_are_found_by_campaign_contact_and_state(by_key: ByKey) -> None:
    client = by_key("read")
    ada = make_contact()
    first = make_delivery(make_campaign(), ada)
    second = make_delivery(make_campaign(), ada, state="skipped", reason="capped")
    third = make_delivery(first.campaign)

    assert find(client, "") == [str(row.pk) for row in (third, second, first)]
    assert find(client, f"campaign={first.campaign_id}") == [
        str(third.pk),
        str(first.pk),
    ]
    assert find(client, f"contact={ada.uuid}") == [str(second.pk), str(first.pk)]
    assert find(client, f"contact={ada.uuid}&state=skipped") == [str(second.pk)]
    assert find(client, f"contact={uuid.uuid4()}") == []


def test_uuid_of_a_merged_contact_leads_to_the_one_who_stayed(by_key: ByKey) -> None:
    gone, stayed = make_contact(), make_contact()
    delivery = make_delivery(make_campaign(), stayed)
    Contact.objects.filter(pk=gone.pk).update(canonical=stayed)

    assert find(by_key("read"), f"contact={gone.uuid}") == [str(delivery.pk)]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("campaign=x", "campaign"),
        ("campaign=99999999999999999999", "campaign"),
        ("campaign=NaN", "campaign"),
        ("contact=x", "contact"),
        ("state=lost", "state"),
    ],
)
def test_bad_filter_is_named(by_key: ByKey, query: str, path: str) -> None:
    answer = by_key("read").get(f"/api/deliveries/?{query}")

    assert (answer.status_code, answer.json()["path"]) == (400, path)


def test_row_says_why_in_plain_english(by_key: ByKey) -> None:
    delivery = make_delivery(make_campaign(), state="skipped", reason="capped")

    [row] = by_key("read").get("/api/deliveries/").json()["results"]

    assert row["contact"] == str(delivery.contact.uuid)
    assert (row["campaign"], row["version"]) == (delivery.campaign_id, 1)
    assert (row["state"], row["reason"]) == ("skipped", "capped")
    assert row["sentence"] == Reason.CAPPED.sentence


def test_list_takes_the_same_queries_whatever_the_size(
    by_key: ByKey, django_assert_num_queries: Any
) -> None:
    client = by_key("read")
    client.get("/api/deliveries/")
    campaign = make_campaign()
    for _ in range(5):
        make_delivery(campaign)

    with django_assert_num_queries(1):
        client.get("/api/deliveries/")


def test_detail_tells_the_whole_story(by_key: ByKey) -> None:
    delivery = make_delivery(make_campaign())
    Attempt.objects.create(
        delivery=delivery,
        contact=delivery.contact,
        number=1,
        channel="push",
        platform="android",
        state="sent",
        lease=uuid.uuid4(),
        gated_at=NOON,
        http_status=200,
        provider_id="projects/p/messages/1",
    )
    for minutes, title in ((0, "First"), (1, "Second")):
        RenderedMessage.objects.create(
            delivery_id=delivery.pk,
            created_at=NOON + timedelta(minutes=minutes),
            contact=delivery.contact,
            locale="en",
            fields={"title": title},
        )
    record_engagement(
        delivery.pk,
        kind="clicked",
        client_id="c1",
        at=NOON,
        received_at=NOON,
        button="0",
    )

    shown = by_key("read").get(f"/api/deliveries/{delivery.pk}/").json()

    assert shown["text"] == {"title": "Second"}
    assert [row["http_status"] for row in shown["attempts"]] == [200]
    assert shown["attempts"][0]["provider_id"] == "projects/p/messages/1"
    assert shown["engagements"] == [
        {
            "kind": "clicked",
            "at": "2026-03-04T12:00:00Z",
            "received_at": "2026-03-04T12:00:00Z",
            "client_id": "c1",
            "button": "0",
        }
    ]
    assert shown["clicked_at"] == shown["opened_at"] == "2026-03-04T12:00:00Z"
    assert shown["conversions"] == []


@pytest.mark.parametrize(
    "key", ["01900000-0000-7000-8000-000000000001", "0" * 32, "-" * 36]
)
def test_unknown_message_is_not_found(by_key: ByKey, key: str) -> None:
    assert by_key("read").get(f"/api/deliveries/{key}/").status_code == 404


def test_key_needs_scope_read(by_key: ByKey) -> None:
    assert by_key("track").get("/api/deliveries/").status_code == 403
    assert by_key("read").post("/api/deliveries/").status_code in (403, 405)
