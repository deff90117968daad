"""Staff see how a subscription stands and how it came to that; nobody edits it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from crm.api import auth
from crm.models import Subscription
from crm.purchases.personal_data import PurchaseHolder
from tests.crm.purchases.shop import ada, take, tell
from tests.factories import make_api_key

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/subscription/"


@pytest.fixture
def subscription() -> Subscription:
    take(
        tell(
            "Trial Started",
            "a",
            subscription_id="S-1",
            plan="basic",
            trial_ends_at="2026-03-18T12:00:00Z",
        ),
        tell(
            "Trial Converted",
            "b",
            at=24,
            subscription_id="S-1",
            plan="pro",
            amount=9.9,
            currency="EUR",
            interval="monthly",
        ),
    )
    return Subscription.objects.get()


@pytest.fixture
def key() -> Iterator[Client]:
    auth.forget_keys()
    yield Client(headers={"Authorization": f"Bearer {make_api_key('read')}"})
    auth.forget_keys()


def test_the_list_tells_status_plan_and_price(
    subscription: Subscription, admin_client: Client
) -> None:
    page = admin_client.get(LIST, {"status": "active"}).content.decode()

    for said in ("S-1", "active", "pro", "9.90 EUR a month"):
        assert said in page
    assert "S-1" not in admin_client.get(LIST, {"status": "paused"}).content.decode()


def test_the_page_tells_each_change(
    subscription: Subscription, admin_client: Client
) -> None:
    page = admin_client.get(f"{LIST}{subscription.pk}/change/").content.decode()

    for said in ("status: – → trialing", "status: trialing → active", "basic → pro"):
        assert said in page


def test_the_contact_page_tells_what_they_subscribe_to(
    subscription: Subscription, admin_client: Client
) -> None:
    page = admin_client.get(f"/admin/crm/contact/{ada().pk}/change/").content.decode()

    assert "active, pro, 9.90 EUR a month, renews 05 Apr 2026" in page


def test_an_empty_list_says_what_to_do(admin_client: Client) -> None:
    assert "Trial Started" in admin_client.get(LIST).content.decode()


def test_the_api_tells_subscriptions_of_a_person_with_their_history(
    subscription: Subscription, key: Client
) -> None:
    [row] = key.get("/api/subscriptions/", {"contact": "ada"}).json()["results"]

    assert (row["number"], row["status"], row["amount"]) == ("S-1", "active", "9.9000")
    assert row["renews_at"] == "2026-04-05T12:00:00Z"
    assert key.get("/api/subscriptions/", {"status": "paused"}).json()["results"] == []
    told = key.get(f"/api/subscriptions/{row['id']}/").json()["history"]
    assert told[-1] == {
        "at": "2026-03-05T12:00:00Z",
        "kind": "converted",
        "by_time": False,
        "column": "renews_at",
        "was": "",
        "now": "2026-04-05 12:00 UTC",
    }


def test_an_export_tells_subscriptions_and_an_erasure_takes_them(
    subscription: Subscription,
) -> None:
    holder, person = PurchaseHolder(), ada()

    [told] = holder.export(person.pk)["subscriptions"]

    assert (told["subscription"], told["status"], told["plan"]) == (
        "S-1",
        "active",
        "pro",
    )
    assert [row["what"] for row in told["history"]] == ["trial_started", "converted"]
    assert holder.count(person.pk)["subscriptions"] == 1
    assert holder.erase(person.pk)["crm.subscriptionentry"] == 2
    assert not Subscription.objects.exists()
