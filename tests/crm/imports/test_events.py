"""A file of events: the checks and effects of `/v1/track`, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from crm.events.ingest import record_events
from crm.events.limits import Limits
from crm.events.retention import forget_messages
from crm.events.schema import parse_item
from crm.events.standing import forget_fixes
from crm.models import Contact, DataFix, Event, MessageKey, PendingEvent
from crm.privacy import erase_contact
from tests.crm.imports.files import (
    SENT,
    check_file,
    count_rows,
    list_problems,
    make_csv,
    run_file,
)
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
ROWS = make_csv(
    "user_id,event,time,total,currency,product",
    "u1,Order Completed,2024-05-01 10:00,12.5,gbp,sku-1",
    "u1,Product Viewed,2026-03-01T09:00:00+02:00,,,sku-2",
    "u2,Order Completed,2025-12-31 23:59:59,7,GBP,sku-1",
)


def describe_events() -> list[Any]:
    rows = Event.objects.order_by("occurred_at")
    columns = ("contact__external_id", "name", "occurred_at", "properties", "value")
    return list(rows.values_list(*columns, "currency", "clock_skewed"))


def test_rows_have_the_effects_of_the_same_calls() -> None:
    assert count_rows(run_file(ROWS, "events")) == (3, 0, 0, 0)
    by_file = describe_events()
    people = list(Contact.objects.values_list("known_since", "last_active_at"))
    assert PendingEvent.objects.count() == 3
    for model in (Event, PendingEvent, MessageKey, Contact):
        model._default_manager.all().delete()
    calls = [
        ("u1", "Order Completed", "2024-05-01T10:00:00Z", 12.5, "gbp", "sku-1"),
        ("u1", "Product Viewed", "2026-03-01T07:00:00Z", None, None, "sku-2"),
        ("u2", "Order Completed", "2025-12-31T23:59:59Z", 7, "GBP", "sku-1"),
    ]
    record_events(
        [make_item(n, *call) for n, call in enumerate(calls)],
        received_at=SENT,
        source="import",
    )
    assert describe_events() == by_file
    again = Contact.objects.values_list("known_since", "last_active_at")
    assert sorted(again) == sorted(people)


def make_item(
    index: int, who: str, name: str, at: str, total: Any, currency: Any, product: str
) -> Any:
    said = {"total": total, "currency": currency, "product": product}
    properties = {key: value for key, value in said.items() if value is not None}
    call = {"userId": who, "event": name, "timestamp": at, "properties": properties}
    raw = msgspec.json.encode(call)
    return parse_item(raw, index, shared={}, at=SENT, limits=Limits(), kind="track")


def test_the_same_file_has_no_effect_twice_even_after_the_ids_are_forgotten() -> None:
    run_file(ROWS, "events")
    assert count_rows(run_file(ROWS, "events")) == (0, 0, 3, 0)
    forget_messages(now=datetime(2100, 1, 1, tzinfo=UTC))
    assert not MessageKey.objects.exists()
    assert count_rows(check_file(ROWS, "events")) == (0, 0, 3, 0)
    assert count_rows(run_file(ROWS, "events")) == (0, 0, 3, 0)
    assert Event.objects.count() == 3


def test_a_row_twice_in_a_file_and_an_id_of_the_file_count_once() -> None:
    content = make_csv(
        "user_id,event,time,message_id",
        "u1,A,2026-03-01,m1",
        "u1,A,2026-03-01,m1",
        "u1,A,2026-03-02,",
        "u1,A,2026-03-02,",
    )
    assert count_rows(run_file(content, "events")) == (2, 0, 2, 0)


def test_every_fault_names_its_line_and_column() -> None:
    job = run_file(
        make_csv(
            "user_id,event,when,n",
            ",A,2026-03-01,1",
            "u1,,2026-03-01,1",
            "u1,A,yesterday,1",
            "u1,A,,1",
            "u1,A,2099-01-01,1",
            f"u1,{'A' * 201},2026-03-01,1",
            "u1,A,2026-03-01,many",
            f"u1,A,2026-03-01,{'1' * 40_000}",
            "u1,A,2026-03-01,2",
        ),
        "events",
        columns={"when": "timestamp", "n": "property:n:number"},
    )
    assert count_rows(job) == (1, 0, 0, 8)
    assert list_problems(job) == [
        (2, "user_id", "required"),
        (3, "event", "required"),
        (4, "when", "invalid_date"),
        (5, "when", "required"),
        (6, "when", "in_the_future"),
        (7, "event", "too_long"),
        (8, "n", "not_a_number"),
        (9, "n", "not_a_number"),
    ]


def test_a_file_without_a_column_for_it_names_all_of_its_events() -> None:
    content = make_csv("user_id,time", "u1,01/02/2026", "u2,2/2/2026 10:30")
    run_file(content, "events", event="Visited", dates="day_first")
    found = Event.objects.order_by("pk").values_list("name", "occurred_at")
    assert set(found) == {
        ("Visited", datetime(2026, 2, 1, tzinfo=UTC)),
        ("Visited", datetime(2026, 2, 2, 10, 30, tzinfo=UTC)),
    }


def test_events_that_speak_of_consent_are_refused_and_change_nobodys() -> None:
    names = ("unsubscribed", "cio_subscription_preferences", "User Unsuppressed")
    lines = [f"u{n},{name},2026-03-01" for n, name in enumerate(names)]
    job = run_file(make_csv("user_id,event,time", *lines), "events")
    assert list_problems(job) == [(n, "event", "consent") for n in (2, 3, 4)]
    assert not Event.objects.exists()
    assert not Contact.objects.exists()


def test_a_blocked_event_is_refused_by_each_of_its_rows_and_names() -> None:
    DataFix.objects.create(kind="block", name="Order Completed", applied_at=SENT)
    forget_fixes()
    rows = ["u1,Completed Order,2026-03-01", "u1,A,2026-03-01"]
    content = make_csv("user_id,event,time", *rows, rows[0])
    for take in (check_file, run_file):
        job = take(content, "events")
        assert count_rows(job) == (1, 0, 0, 2)
        assert list_problems(job) == [
            (2, "event", "event_blocked"),
            (4, "event", "event_blocked"),
        ]
    assert Event.objects.get().name == "A"
    forget_fixes()


def test_what_a_fix_of_data_blocks_is_refused_by_its_line() -> None:
    DataFix.objects.create(kind="block", name="Noise", applied_at=SENT)
    forget_fixes()
    content = make_csv("user_id,event,time", "u1,A,2026-03-01", "u1,Noise,2026-03-01")
    job = run_file(content, "events")
    assert count_rows(job) == (1, 0, 0, 1)
    assert [line for line, *_ in list_problems(job)] == [3]
    assert count_rows(check_file(content, "events")) == (0, 0, 1, 1)
    forget_fixes()


def test_a_file_of_events_brings_no_erased_person_back() -> None:
    erase_contact(make_contact("ada"), actor="test")
    content = make_csv(
        "user_id,event,time", "ada,Viewed,2026-03-01", "bob,Viewed,2026-03-01"
    )
    for job in (check_file(content, "events"), run_file(content, "events")):
        assert count_rows(job) == (1, 0, 0, 1)
        assert list_problems(job) == [(2, "", "erased")]
    assert Contact.objects.canonical().get().external_id == "bob"
