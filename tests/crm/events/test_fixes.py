"""Fixes of data at ingest: what each does, in which order, and for whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.api import auth
from crm.events import standing
from crm.events.fixes import Fixes, apply_fixes, build_fixes, coerce
from crm.events.schema import Item
from crm.events.standing import forget_fixes, read_fixes
from crm.events.vocabulary import forget_written
from crm.models import Contact, DataFix, Event, MessageKey, RejectedItem
from crm.quality.rejections import forget_noted
from tests.factories import NOON, make_api_key


def make_item(name: str = "Viewed", index: int = 0, **properties: Any) -> Item:
    return Item(
        index=index, kind="track", name=name, user_id="ada", anonymous_id="",
        previous_id="", message_id="", occurred_at=NOON, clock_skewed=False,
        properties=properties, traits={}, context={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "kind", "kept"),
    [
        ("89.50", "number", 89.5),
        (" 12 ", "number", 12),
        ("-3", "number", -3),
        (True, "number", 1),
        ("89,50 €", "number", "89,50 €"),
        ("9" * 20, "number", "9" * 20),
        ("1e5", "number", "1e5"),
        ("", "number", ""),
        ([1], "number", [1]),
        (7, "text", "7"),
        (8.5, "text", "8.5"),
        (True, "text", "true"),
        ({"a": 1}, "text", {"a": 1}),
        ("Yes", "yes_no", True),
        (0, "yes_no", False),
        ("0", "yes_no", False),
        ("maybe", "yes_no", "maybe"),
        (False, "yes_no", False),
        ("a", "list", ["a"]),
        (["a"], "list", ["a"]),
        ({"a": 1}, "list", [{"a": 1}]),
        (None, "text", None),
    ],
)
def test_a_value_becomes_the_type_or_stays_what_it_is(
    said: Any, kind: str, kept: Any
) -> None:
    found = coerce(said, kind)

    assert (found, type(found)) == (kept, type(kept))


def test_nothing_is_copied_where_nothing_stands() -> None:
    items = [make_item(price=1)]

    assert apply_fixes(items, Fixes()) == (items, [])
    assert apply_fixes(items, Fixes())[0] is items
    other = build_fixes([("ignore", "Bought", "price", "")])
    assert apply_fixes(items, other)[0][0] is items[0]


def test_properties_are_fixed_by_the_name_the_event_has_now() -> None:
    fixes = build_fixes(
        [
            ("rename", "viewed", "", "Viewed"),
            ("coerce", "Viewed", "price", "number"),
            ("ignore", "Viewed", "debug", ""),
            ("ignore", "viewed", "price", ""),
        ]
    )
    [fixed], refused = apply_fixes(
        [make_item("viewed", price="9", debug="x", note="y")], fixes
    )

    assert refused == []
    assert fixed.name == "Viewed"
    assert fixed.properties == {
        "original_event": "viewed", "price": 9, "note": "y"
    }  # fmt: skip


def test_a_name_takes_one_step_and_what_is_blocked_is_refused_by_its_own() -> None:
    fixes = build_fixes(
        [("rename", "A", "", "B"), ("rename", "B", "", "A"), ("block", "C", "", "")]
    )
    kept, refused = apply_fixes(
        [make_item("A", 0), make_item("C", 1), make_item("B", 2)], fixes
    )

    assert [item.name for item in kept] == ["B", "A"]
    assert [(r.index, r.path, r.code) for r in refused] == [
        (1, "event", "event_blocked")
    ]


@pytest.mark.django_db
class TestStanding:
    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        for forget in (auth.forget_keys, forget_written, forget_noted):
            forget()
        yield
        for forget in (auth.forget_keys, forget_written, forget_noted, forget_fixes):
            forget()

    def post(self, path: str, body: Any) -> dict[str, Any]:
        header = f"Bearer {make_api_key('track')}"
        answer = Client(HTTP_AUTHORIZATION=header).post(
            path, body, content_type="application/json"
        )
        return {"status": answer.status_code, **json.loads(answer.content)}

    def test_a_blocked_event_is_refused_alone_and_leaves_nothing(self) -> None:
        make_fix("block", "Spam")
        spam = {"type": "track", "userId": "bot", "event": "Spam", "messageId": "m1"}
        good = {"type": "track", "userId": "ada", "event": "Viewed", "messageId": "m2"}

        answer = self.post("/v1/batch", {"batch": [spam, good]})

        assert (answer["status"], answer["accepted"]) == (200, 1)
        [lost] = answer["rejected"]
        assert (lost["index"], lost["code"]) == (0, "event_blocked")
        assert [event.name for event in Event.objects.all()] == ["Viewed"]
        assert Contact.objects.count() == MessageKey.objects.count() == 1
        assert RejectedItem.objects.get().code == "event_blocked"

    def test_every_wire_says_so(self) -> None:
        make_fix("block", "Spam")
        single = self.post("/v1/track", {"userId": "a", "event": "Spam"})
        assert (single["status"], single["accepted"]) == (200, 0)
        assert single["rejected"][0]["code"] == "event_blocked"
        path = "/api/v1/customers/ada/events"
        theirs = self.post(path, {"name": "Spam", "anonymous_id": "v"})
        assert (theirs["status"], theirs["code"]) == (400, "event_blocked")
        entity = {
            "type": "person",
            "identifiers": {"id": "ada"},
            "action": "event",
            "name": "Spam",
        }
        batch = self.post("/api/v2/batch", {"batch": [entity]})
        assert batch["rejected"][0]["code"] == "event_blocked"
        assert Event.objects.count() == 0

    def test_a_renamed_event_is_kept_by_its_new_name_with_its_money(self) -> None:
        make_fix("rename", "order_done", target="Order Completed")
        make_fix("coerce", "Order Completed", key="total", target="number")
        body = {"userId": "ada", "event": "order_done"}
        self.post("/v1/track", {**body, "properties": {"total": "12.50"}})

        event = Event.objects.get()
        assert event.name == "Order Completed"
        assert event.properties == {"original_event": "order_done", "total": 12.5}
        assert str(event.value) == "12.5000"

    def test_drafts_and_what_was_undone_have_no_effect(self) -> None:
        make_fix("block", "A", applied_at=None)
        make_fix("block", "B", undone_at=timezone.now())

        assert not read_fixes()

    def test_a_process_reads_them_again_after_seconds(
        self, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(1):
            assert not read_fixes()
        make_fix("block", "A")
        with django_assert_num_queries(0):
            assert not read_fixes()
        known = standing._known
        assert known is not None
        monkeypatch.setattr(standing, "_known", (0.0, known[1]))
        assert read_fixes().blocked == {"A"}


def make_fix(kind: str, name: str, **fields: Any) -> DataFix:
    fields = {"applied_at": timezone.now() - timedelta(hours=1), **fields}
    return DataFix.objects.create(kind=kind, name=name, **fields)
