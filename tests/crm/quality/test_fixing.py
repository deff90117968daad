"""Drafts, previews, and what may be applied and undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.models import AuditEntry, DataFix
from crm.quality.fixing import (
    FixRefused,
    apply_fix,
    preview_fix,
    save_fix,
    undo_fix,
)
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return User.objects.create(username="ada", is_staff=True)


def draft(staff: User, kind: str, name: str, **fields: Any) -> DataFix:
    return save_fix(DataFix(kind=kind, name=name, **fields), actor=staff)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "rename", "name": "a"}, "target"),
        ({"kind": "rename", "name": "a", "target": " a "}, "target"),
        ({"kind": "rename", "name": "a", "target": "$b"}, "target"),
        ({"kind": "rename", "name": "$group", "target": "b"}, "name"),
        ({"kind": "ignore", "name": "a"}, "key"),
        ({"kind": "coerce", "name": "a", "key": "p"}, "target"),
        ({"kind": "coerce", "name": "a", "key": "p", "target": "object"}, "target"),
        ({"kind": "drop", "name": "a"}, "kind"),
        ({"kind": "block", "name": ""}, "name"),
    ],
)
def test_what_is_no_fix_is_refused_with_its_field(
    fields: dict[str, str], path: str, staff: User
) -> None:
    with pytest.raises(ValidationError) as refused:
        draft(staff, **fields)

    assert path in refused.value.message_dict
    assert not DataFix.objects.exists()
    assert not AuditEntry.objects.exists()


def test_columns_of_other_kinds_are_emptied(staff: User) -> None:
    fix = draft(staff, "block", "Spam", key="x", target="y")

    assert (fix.key, fix.target, fix.state) == ("", "", "draft")


def test_a_fix_is_drafted_applied_and_undone_once(staff: User) -> None:
    fix = draft(staff, "block", "Spam")
    with pytest.raises(FixRefused, match="Only a fix that is applied"):
        undo_fix(fix.pk, actor=staff, at=NOON)

    assert apply_fix(fix.pk, actor=staff, at=NOON).state == "applied"
    with pytest.raises(FixRefused, match="applied already"):
        apply_fix(fix.pk, actor=staff, at=NOON)
    done = undo_fix(fix.pk, actor=staff, at=NOON + timedelta(hours=1))
    assert (done.state, done.undone_by) == ("undone", staff)
    for deed in (apply_fix, undo_fix):
        with pytest.raises(FixRefused):
            deed(fix.pk, actor=staff, at=NOON)

    trail = AuditEntry.objects.order_by("pk")
    assert [entry.action for entry in trail] == ["drafted", "applied", "undone"]


@pytest.mark.parametrize(
    ("standing", "wanted", "reason"),
    [
        (("block", "A", ""), ("block", "A", ""), "done by another fix"),
        (("rename", "A", "B"), ("rename", "A", "C"), "done by another fix"),
        (("rename", "A", "B"), ("rename", "B", "C"), "Other events are renamed to B"),
        (("rename", "B", "C"), ("rename", "A", "B"), "itself renamed or blocked"),
        (("rename", "B", "A"), ("rename", "A", "B"), "Other events are renamed to A"),
        (("block", "B", ""), ("rename", "A", "B"), "itself renamed or blocked"),
    ],
)
def test_what_cannot_stand_beside_another_is_refused(
    standing: tuple[str, str, str],
    wanted: tuple[str, str, str],
    reason: str,
    staff: User,
) -> None:
    first, second = (
        draft(staff, kind, name, target=target)
        for kind, name, target in (standing, wanted)
    )
    apply_fix(first.pk, actor=staff, at=NOON)
    with pytest.raises(FixRefused, match=reason):
        apply_fix(second.pk, actor=staff, at=NOON)

    second.refresh_from_db()
    assert second.state == "draft"
    undo_fix(first.pk, actor=staff, at=NOON)
    assert apply_fix(second.pk, actor=staff, at=NOON).state == "applied"


def test_the_database_refuses_two_of_the_same(staff: User) -> None:
    for _ in range(2):
        draft(staff, "block", "Spam")
    with pytest.raises(IntegrityError, match="stands_once"), transaction.atomic():
        DataFix.objects.update(applied_at=NOON)


def test_a_preview_counts_events_and_shows_what_would_change(staff: User) -> None:
    ada, bob = make_contact(), make_contact()
    for said in ("9.50", "9 EUR", 7):
        make_event(ada, "Viewed", properties={"price": said})
    make_event(bob, "Viewed", properties={})
    make_event(bob, "Viewed", occurred_at=NOON - timedelta(days=31))
    make_event(bob, "Bought")

    fix = draft(staff, "coerce", "Viewed", key="price", target="number")
    shown = preview_fix(fix, now=NOON + timedelta(hours=1))

    assert (shown.events, shown.contacts, shown.looked, shown.touched) == (4, 2, 4, 1)
    assert shown.examples == [("price: “9.50”", "price: 9.5")]
    assert not shown.is_cut
    block = preview_fix(draft(staff, "block", "Bought"), now=NOON + timedelta(hours=1))
    assert (block.events, block.contacts, block.examples) == (1, 1, ())


def test_a_preview_tells_what_is_left_out_and_one_from_true(staff: User) -> None:
    person = make_contact()
    make_event(person, "Viewed", properties={"sale": 1})
    now = NOON + timedelta(hours=1)

    ignore = draft(staff, "ignore", "Viewed", key="sale")
    assert preview_fix(ignore, now=now).examples == [("sale: 1", "left out")]
    yes_no = draft(staff, "coerce", "Viewed", key="sale", target="yes_no")
    assert preview_fix(yes_no, now=now).examples == [("sale: 1", "sale: yes")]
