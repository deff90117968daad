"""`/api/orders/`: net of refunds, by person and state, each with its history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from crm.api import auth, orders
from tests.factories import make_api_key, make_contact, make_purchase

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Iterator[Client]:
    auth.forget_keys()
    yield Client(headers={"Authorization": f"Bearer {make_api_key('read')}"})
    auth.forget_keys()


def test_orders_of_a_person_are_net_of_refunds(client: Client) -> None:
    ada = make_contact("ada")
    order = make_purchase(ada, "1", placed=100, refunded=30)
    make_purchase(make_contact("bob"), "2", placed=5)

    [row] = client.get("/api/orders/", {"contact": "ada"}).json()["results"]

    assert row == {
        "id": order.pk,
        "contact": str(ada.uuid),
        "number": "1",
        "state": "partially_refunded",
        "placed_at": "2026-03-04T12:00:00Z",
        "gross": "100.0000",
        "refunded": "30.0000",
        "net": "70.0000",
        "currency": "EUR",
        "excess": "0.0000",
        "is_mixed": False,
        "last_at": "2026-03-04T12:00:00Z",
    }


def test_orders_are_found_by_state_and_paged(client: Client) -> None:
    for number in range(3):
        make_purchase(make_contact(), str(number), placed=5)
    make_purchase(make_contact(), "9", cancelled=None)

    page = client.get("/api/orders/", {"state": "paid", "page_size": 2}).json()

    assert [row["number"] for row in page["results"]] == ["2", "1"]
    rest = client.get(page["next"]).json()
    assert [row["number"] for row in rest["results"]] == ["0"]


def test_one_order_tells_its_history(client: Client) -> None:
    order = make_purchase(make_contact(), "1", placed=100, refunded=30)

    told = client.get(f"/api/orders/{order.pk}/").json()

    assert [(row["kind"], row["amount"]) for row in told["history"]] == [
        ("placed", "100.0000"),
        ("refunded", "30.0000"),
    ]
    assert client.get("/api/orders/999999/").status_code == 404


def test_a_long_history_is_told_by_its_newest_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "SHOWN", 1)
    order = make_purchase(make_contact(), "1", placed=100, refunded=30)

    told = client.get(f"/api/orders/{order.pk}/").json()

    assert [row["kind"] for row in told["history"]] == ["refunded"]
