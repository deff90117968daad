"""Under pressure ordinary events wait; opt-outs and purchases do not."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crm.events import pressure
from crm.events.pressure import (
    CHOICE_NAMES,
    CHOICE_TRAITS,
    is_exempt,
    measure_backlog,
    measure_disk,
    read_pressure,
    split_items,
)
from crm.events.schema import Item
from crm.models import PendingEvent
from crm.models.ids import make_uuid7s
from preferences.effects import ConsentEffects, SuppressionEffects
from tests.factories import make_contact

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def make_item(name: str = "", index: int = 0, **fields: Any) -> Item:
    known: dict[str, Any] = {
        "user_id": "a", "anonymous_id": "", "previous_id": "", "message_id": "",
        "properties": {}, "traits": {}, "context": {}, **fields,
    }  # fmt: skip
    kind = "track" if name else "identify"
    return Item(
        index=index, kind=kind, name=name, occurred_at=NOON, clock_skewed=False, **known
    )


@pytest.mark.parametrize(
    "item",
    [
        *(make_item(name) for name in sorted(CHOICE_NAMES)),
        *(make_item(traits={name: True}) for name in sorted(CHOICE_TRAITS)),
        make_item("Order Completed"),
        make_item("Completed Order"),
        make_item("Order Refunded"),
        make_item("Order Cancelled"),
        make_item("Subscription Renewed", properties={"revenue": 9}),
    ],
    ids=lambda item: item.name or str(item.traits),
)
def test_choices_and_purchases_never_wait(item: Item) -> None:
    assert is_exempt(item)


@pytest.mark.parametrize(
    "item",
    [
        make_item("Product Viewed", properties={"price": 20}),
        make_item("App Opened"),
        make_item(traits={"email": "ada@example.com", "revenue": 3}),
        make_item(),
    ],
    ids=lambda item: item.name or str(item.traits),
)
def test_everything_else_waits(item: Item) -> None:
    assert not is_exempt(item)


def test_all_that_preferences_listens_to_is_on_the_list() -> None:
    for provider in (ConsentEffects, SuppressionEffects):
        assert provider.event_names <= CHOICE_NAMES
        assert provider.trait_names <= CHOICE_TRAITS


def test_beside_what_waits_a_purchase_needs_a_message_id() -> None:
    batch = [
        make_item("App Opened", 0),
        make_item("Order Completed", 1),
        make_item("Order Completed", 2, message_id="m2"),
        make_item("unsubscribed", 3),
    ]

    taken, held = split_items(batch)

    assert [item.index for item in taken] == [2, 3]
    assert [item.index for item in held] == [0, 1]


def test_a_batch_of_nothing_but_purchases_is_taken_whole() -> None:
    batch = [make_item("Order Completed", 0), make_item("unsubscribed", 1)]

    assert split_items(batch) == (batch, [])


def make_pending(count: int, **fields: Any) -> None:
    contact = make_contact()
    PendingEvent.objects.bulk_create(
        PendingEvent(
            event_id=pk, occurred_at=NOON, contact=contact, name="Seen", **fields
        )
        for pk in make_uuid7s(count)
    )


@pytest.mark.django_db
def test_the_backlog_is_what_waits_to_be_worked_on(settings: Any) -> None:
    settings.INGEST_BACKLOG_MAX = 5
    make_pending(5)
    assert measure_backlog() is None

    make_pending(3, quarantined_at=NOON)
    assert measure_backlog() is None

    make_pending(1)
    found = measure_backlog()
    assert found is not None
    assert (found.code, found.wait_s) == ("over_capacity", 15)


@pytest.mark.django_db
def test_a_gap_in_the_ids_is_no_backlog(settings: Any) -> None:
    settings.INGEST_BACKLOG_MAX = 5
    make_pending(20)
    first, *between, _ = PendingEvent.objects.order_by("pk").values_list("pk", flat=1)
    PendingEvent.objects.filter(pk__in=between).delete()

    assert measure_backlog() is None
    assert PendingEvent.objects.filter(pk=first).exists()


def test_the_disk_of_the_embedded_database_may_run_out(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMBEDDED_CLUSTER = None
    assert measure_disk() is None

    settings.EMBEDDED_CLUSTER = SimpleNamespace(base="/somewhere")
    for free_blocks, code in ((300_000, None), (200_000, "disk_full")):
        disk = SimpleNamespace(f_bavail=free_blocks, f_frsize=4_096)
        monkeypatch.setattr(pressure.os, "statvfs", lambda path, disk=disk: disk)
        found = measure_disk()
        assert (found and found.code) == code


def test_it_is_measured_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr(pressure, "measure_backlog", lambda: measured.append(1))
    monkeypatch.setattr(pressure, "measure_disk", lambda: None)
    pressure.forget_pressure()
    for _ in range(50):
        assert read_pressure() is None
    pressure.forget_pressure()

    assert len(measured) == 1
