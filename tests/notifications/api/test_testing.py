"""Test sends over the API: one person, now, and what they will read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from crm.models import AuditEntry
from notifications.campaigns.compose import Definition, Text, save_campaign
from notifications.models import Campaign, Delivery
from tests.factories import NOON, make_contact, make_sender
from tests.notifications.api.conftest import wait_for_ring

pytestmark = pytest.mark.django_db
ByKey = Callable[..., APIClient]


def make_draft(title: str = "Hello {{ customer.first_name }}") -> Campaign:
    make_sender(is_default=True)
    text = Text({"title": title, "body": "Good to see you"})
    definition = Definition("Welcome", {"purpose_class": "transactional"}, (text,))
    return save_campaign(definition, by="test")


def post(client: APIClient, campaign: Campaign, contact: Any, **said: Any) -> Any:
    address = f"/api/campaigns/{campaign.pk}/test/"
    return client.post(address, {"contact": contact}, format="json", **said)


def test_a_test_send_answers_its_text_and_leads_to_its_message(
    by_key: ByKey, rings: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    campaign, client = make_draft(), by_key("send", "read")
    ada = make_contact("ada", traits={"first_name": "Ada"})
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(client, campaign, "ada")

    assert answer.status_code == 201
    delivery = Delivery.objects.get()
    assert answer.json() == {
        "deliveries": [str(delivery.pk)],
        "contact": str(ada.uuid),
        "locale": "en",
        "reason": "",
        "detail": "",
        "sentence": "",
        "text": {
            "title": "Hello Ada",
            "body": "Good to see you",
            "image_url": "",
            "link": "",
            "buttons": [],
        },
    }
    assert (delivery.source_kind, delivery.contact) == ("test", ada)
    wait_for_ring(rings)
    shown = client.get(f"/api/deliveries/{delivery.pk}/").json()
    assert (shown["source_kind"], shown["state"]) == ("test", "pending")
    entry = AuditEntry.objects.get(action="tested")
    assert entry.actor_name.startswith("api:apr_")
    assert entry.changes["contact"] == str(ada.uuid)


def test_a_uuid_of_somebody_merged_away_leads_to_who_stayed(by_key: ByKey) -> None:
    campaign, stayed = make_draft(), make_contact("ada", traits={"first_name": "Ada"})
    gone = make_contact(None, canonical=stayed)

    answer = post(by_key("send"), campaign, str(gone.uuid))

    assert answer.json()["contact"] == str(stayed.uuid)
    assert Delivery.objects.get().contact == stayed


def test_a_text_that_misses_a_value_says_so(by_key: ByKey) -> None:
    campaign = make_draft("Hello {{ customer.first_name }}")
    make_contact("ada")

    told = post(by_key("send"), campaign, "ada").json()

    assert (told["text"], told["reason"]) == (None, "template_missing_value")
    assert told["sentence"].startswith("The text names a value")
    assert told["deliveries"] == [str(Delivery.objects.get().pk)]


@pytest.mark.parametrize("said", ["nobody", "", None, [], {"id": 1}, "x" * 256, "\x00"])
def test_nobody_gets_a_test_that_nobody_is_named_for(by_key: ByKey, said: Any) -> None:
    answer = post(by_key("send"), make_draft(), said)

    assert (answer.status_code, answer.json()["path"]) == (400, "contact")
    assert not Delivery.objects.exists()


def test_who_was_erased_gets_no_test(by_key: ByKey) -> None:
    erased = make_contact(None, erased_at=NOON)

    answer = post(by_key("send"), make_draft(), str(erased.uuid))

    assert (answer.status_code, answer.json()["path"]) == (400, "contact")
    assert not Delivery.objects.exists()


def test_a_campaign_without_a_message_is_refused(by_key: ByKey) -> None:
    empty = Campaign.objects.create(name="Empty")
    make_contact("ada")

    answer = post(by_key("send"), empty, "ada")

    assert answer.status_code == 400
    assert answer.json()["message"] == "Write the message first."
    assert not Delivery.objects.exists()


def test_one_key_of_asking_twice_sends_one_test(by_key: ByKey) -> None:
    campaign, client = make_draft(), by_key("send")
    make_contact("ada", traits={"first_name": "Ada"})
    once = {"headers": {"Idempotency-Key": "t1"}}
    first, again = (post(client, campaign, "ada", **once) for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("scope", "status"), [("track", 403), ("read", 403), ("send", 201), ("admin", 201)]
)
def test_a_key_needs_the_scope_send(by_key: ByKey, scope: str, status: int) -> None:
    make_contact("ada", traits={"first_name": "Ada"})

    answer = post(by_key(scope), make_draft(), "ada")

    assert answer.status_code == status
    assert Delivery.objects.count() == (status == 201)


@pytest.mark.parametrize(
    ("code", "status"),
    [("view_campaign", 403), ("launch_campaign", 403), ("send_test", 201)],
)
def test_staff_need_the_right_to_test(by_staff: ByKey, code: str, status: int) -> None:
    make_contact("ada", traits={"first_name": "Ada"})

    answer = post(by_staff(code), make_draft(), "ada")

    assert answer.status_code == status
    assert Delivery.objects.count() == (status == 201)
