from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.events.merge import merge_contacts
from crm.events.schema import Item
from crm.events.unmerge import undo_merge
from crm.models import Merge, MergeJournal, Order, OrderEntry
from crm.privacy import erase_contact
from crm.purchases import keeping
from crm.purchases.keeping import keep_purchases
from crm.purchases.personal_data import PurchaseHolder
from notifications import pipeline
from tests.crm.events.calls import record, say
from tests.crm.purchases.shop import ada, read_orders, take, tell
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db
STORY = [
    tell("Order Completed", "a", order_id="1", total=100, currency="EUR"),
    tell("Order Updated", "b", at=1, order_id="1", total=90),
    tell("Order Refunded", "c", at=2, order_id="1", total=30, currency="EUR"),
    tell("Order Refunded", "d", at=3, order_id="1", amount=20),
    tell("Order Completed", "e", at=1, order_id="2", total=40, currency="EUR"),
    tell("Order Cancelled", "f", at=4, order_id="2"),
    tell("Order Refunded", "g", at=1, order_id="3"),
]
ENDS = [
    ("1", "partially_refunded", "90.00", "50.00", "40.00"),
    ("2", "cancelled", "40.00", "0.00", "0.00"),
    ("3", "awaited", "0.00", "0.00", "0.00"),
]


def test_a_refund_lowers_the_order_and_is_a_row_of_its_own() -> None:
    take(*STORY[:4])

    assert read_orders() == ENDS[:1]
    refunds = OrderEntry.objects.filter(kind="refunded").oldest_first()
    assert [(row.amount, row.at, row.currency) for row in refunds] == [
        (Decimal(30), NOON + timedelta(hours=2), "EUR"),
        (Decimal(20), NOON + timedelta(hours=3), ""),
    ]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_order_of_arrival_and_any_repeat_leave_the_same_rows(data: Any) -> None:
    repeats = data.draw(st.lists(st.sampled_from(STORY), max_size=4))
    order = data.draw(st.permutations(STORY + repeats))
    cut = data.draw(st.integers(0, len(order)))
    with transaction.atomic():
        for batch in (order[:cut], order[cut:]):
            if batch:
                take(*batch)
        assert read_orders() == ENDS
        assert OrderEntry.objects.count() == len(STORY)
        transaction.set_rollback(True)


def test_a_message_that_comes_again_after_its_key_was_forgotten_counts_once() -> None:
    take(*STORY[:3])
    make_event(
        ada(),
        "Order Refunded",
        message_id="c",
        properties={"order_id": "1", "total": 30},
    )
    event = ada().events.get(name="Order Refunded", occurred_at=NOON)

    kept = keep_purchases([Taken(event)])

    assert kept == 0
    assert read_orders()[0][3] == "30.00"


class Taken:
    def __init__(self, event: Any) -> None:
        self.event_id, self.name = event.pk, event.name
        self.occurred_at, self.contact_id = event.occurred_at, event.contact_id


def test_entries_of_purchases_can_not_be_changed() -> None:
    take(STORY[0])

    with pytest.raises(DatabaseError, match="content never changes"):
        OrderEntry.objects.update(amount=1)


def test_orders_cost_the_same_queries_whatever_their_number(
    django_assert_num_queries: Any,
) -> None:
    record(*STORY)
    rows = [Taken(event) for event in ada().events.all()]

    # events, what is known, insert, entries, rows
    with django_assert_num_queries(5):
        keep_purchases(rows)
    with django_assert_num_queries(0):
        keep_purchases([])


def test_more_than_is_kept_of_an_order_changes_nothing_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "MAX_SAID", 2)
    with CaptureQueriesContext(connection) as asked:
        take(*STORY[:4], STORY[0], *STORY[4:])
        take(*STORY[2:4], tell("Order Updated", "z", at=9, order_id="1", total=5))

    assert read_orders() == [("1", "paid", "90.00", "0.00", "90.00"), *ENDS[1:]]
    assert OrderEntry.objects.filter(number="1").count() == 2
    # Each read of a history was without the lines of products.
    reads = [s for s in (str(row["sql"]) for row in asked) if s.startswith("SELECT")]
    assert any('"crm_orderentry"."amount"' in sql for sql in reads)
    assert not any('"crm_orderentry"."lines"' in sql for sql in reads)


def test_events_of_other_names_cost_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert keep_purchases([Taken(make_event_of("app_open"))]) == 0


def make_event_of(name: str) -> Any:
    class Unsaved:
        pk, occurred_at, contact_id = None, NOON, 1

    Unsaved.name = name  # type: ignore[attr-defined]
    return Unsaved


def visit(name: str, message_id: str, /, **properties: Any) -> Item:
    return say(
        name=name, anonymous_id="web", message_id=message_id, properties=properties
    )


def test_a_merge_joins_an_order_that_both_know_and_its_undo_parts_it() -> None:
    take(
        visit("Order Completed", "v1", order_id="1", total=100),
        visit("Order Completed", "v2", order_id="9", total=7),
        tell("Order Refunded", "r", at=1, order_id="1", total=30),
        tell("Order Completed", "p", order_id="5", total=50),
    )
    visitor, known = Order.objects.get(number="9").contact, ada()
    before = read_orders()

    merge_contacts(source_id=visitor.pk, target_id=known.pk, actor="test")

    assert read_orders() == [
        ("1", "partially_refunded", "100.00", "30.00", "70.00"),
        ("5", "paid", "50.00", "0.00", "50.00"),
        ("9", "paid", "7.00", "0.00", "7.00"),
    ]
    assert set(Order.objects.values_list("contact", flat=True)) == {known.pk}

    undo_merge(Merge.objects.get(), actor="test", at=Merge.objects.get().made_at)

    assert sorted(read_orders()) == sorted(before)
    assert set(visitor.orders.values_list("number", flat=True)) == {"1", "9"}


def test_a_merge_of_before_orders_were_kept_can_be_undone() -> None:
    source, target = make_contact("old"), make_contact("new")
    merge_contacts(source_id=source.pk, target_id=target.pk, actor="test")
    MergeJournal.objects.filter(holder="PurchaseHolder").delete()

    undo_merge(Merge.objects.get(), actor="test", at=Merge.objects.get().made_at)

    source.refresh_from_db()
    assert source.canonical_id is None


def test_an_order_that_came_by_an_id_that_goes_back_goes_back_with_it() -> None:
    take(visit("Order Completed", "v1", order_id="1", total=100))
    visitor, known = Order.objects.get().contact, make_contact("ada")
    merge_contacts(source_id=visitor.pk, target_id=known.pk, actor="test")
    take(visit("Order Refunded", "v2", order_id="1", total=10))

    undo_merge(Merge.objects.get(), actor="test", at=Merge.objects.get().made_at)

    order = Order.objects.get()
    assert (order.contact_id, order.refunded) == (visitor.pk, 10)


def test_an_erasure_takes_orders_and_what_was_said_of_them() -> None:
    take(*STORY)
    person = ada()

    counts = erase_contact(person, actor="test")

    assert (counts["crm.order"], counts["crm.orderentry"]) == (3, 7)
    assert not Order.objects.exists()
    assert not OrderEntry.objects.exists()


def test_a_person_is_told_their_orders_with_their_history() -> None:
    take(STORY[0], STORY[2])

    found = PurchaseHolder().export(ada().pk)

    assert PurchaseHolder().count(ada().pk)["orders"] == 1
    assert found["orders"] == [
        {
            "order": "1",
            "state": "partially_refunded",
            "placed_at": NOON.isoformat(),
            "gross": "100.0000",
            "refunded": "30.0000",
            "net": "70.0000",
            "currency": "EUR",
            "history": [
                {
                    "what": "placed",
                    "at": NOON.isoformat(),
                    "amount": "100.0000",
                    "currency": "EUR",
                    "lines": [],
                },
                {
                    "what": "refunded",
                    "at": (NOON + timedelta(hours=2)).isoformat(),
                    "amount": "30.0000",
                    "currency": "EUR",
                    "lines": [],
                },
            ],
        }
    ]


def test_a_crash_of_processing_keeps_nothing_twice() -> None:
    record(*STORY[:3])
    with transaction.atomic():
        pipeline.process_events()
        transaction.set_rollback(True)
    assert not OrderEntry.objects.exists()

    pipeline.process_pending(budget_s=10)

    assert OrderEntry.objects.count() == 3
