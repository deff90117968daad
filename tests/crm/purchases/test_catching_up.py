from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.events.merge import merge_contacts
from crm.models import Contact, Order, OrderEntry, Subscription, SubscriptionEntry
from crm.purchases import catching_up
from tests.crm.events.calls import say
from tests.crm.purchases.shop import ada, read_orders, take, tell
from tests.factories import make_contact

pytestmark = pytest.mark.django_db


def test_events_of_before_are_kept_once_whatever_the_chunks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catching_up, "CHUNK", 1)
    take(
        tell("Order Completed", "a", order_id="1", total=100),
        tell("Order Completed", "b", order_id="2", total=50),
        tell("Order Refunded", "c", at=1, order_id="1", total=30),
        tell("Trial Started", "d"),
    )
    expected = read_orders()
    for model in (Order, OrderEntry, Subscription, SubscriptionEntry):
        model.objects.all().delete()

    call_command("keep_purchases")
    call_command("keep_purchases")

    assert read_orders() == expected
    assert Subscription.objects.get().status == "trialing"
    assert capsys.readouterr().out.splitlines() == [
        "4 entries of orders and subscriptions are new.",
        "0 entries of orders and subscriptions are new.",
    ]


def test_events_of_somebody_merged_meanwhile_wait_for_the_lock_of_who_has_them() -> (
    None
):
    take(
        tell("Order Completed", "a", order_id="1", total=100),
        say(
            name="Order Completed",
            user_id="bob",
            message_id="b",
            properties={"order_id": "2", "total": 5},
        ),
    )
    [chunk] = catching_up.read_old("Order Completed")
    bob = Contact.objects.get(external_id="bob")
    heir = make_contact("heir")
    merge_contacts(source_id=bob.pk, target_id=heir.pk, actor="test")
    for model in (Order, OrderEntry):
        model.objects.all().delete()

    with CaptureQueriesContext(connection) as asked:
        kept = catching_up.keep_chunk(chunk)

    assert kept == 2
    assert set(Order.objects.values_list("contact", "number")) == {
        (ada().pk, "1"),
        (heir.pk, "2"),
    }
    said = [row["sql"] for row in asked]
    locks = [n for n, sql in enumerate(said) if "FOR NO KEY UPDATE" in sql]
    writes = [n for n, sql in enumerate(said) if 'INTO "crm_orderentry"' in sql]
    assert locks[0] < writes[0] < locks[1] < writes[1]
    assert f"IN ({heir.pk})" in said[locks[1]]
