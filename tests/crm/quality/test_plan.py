"""The tracking plan: its status, what falls short of it, where it has gaps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm.models import AuditEntry, DataFix, EventName, PlannedEvent
from crm.quality.expectations import Expected
from crm.quality.plan import check_planned, drop_planned, find_gaps, save_planned
from tests.factories import NOON, make_contact, make_event

pytestmark = pytest.mark.django_db


def plan(name: str, *expected: Expected) -> PlannedEvent:
    return save_planned(PlannedEvent(name=name), expected=expected, actor="test")


def read_status() -> dict[str, str]:
    rows = PlannedEvent.objects.with_status()
    return dict(rows.values_list("name", "status"))


def test_the_status_follows_from_what_comes() -> None:
    for name in ("Planned", "Live", "Blocked"):
        plan(name)
    EventName.objects.create(name="Live")
    EventName.objects.create(name="Blocked")
    fix = DataFix.objects.create(kind="block", name="Blocked", applied_at=NOON)
    DataFix.objects.create(kind="block", name="Live")
    DataFix.objects.create(kind="ignore", name="Live", key="a", applied_at=NOON)

    assert read_status() == {"Planned": "planned", "Live": "live", "Blocked": "blocked"}
    fix.undone_at = NOON
    fix.save()
    assert read_status()["Blocked"] == "live"


def test_the_newest_events_are_counted_by_how_they_fall_short() -> None:
    planned = plan("Viewed", Expected("price", "number", True))
    person = make_contact()
    newest = make_event(person, "Viewed", properties={"price": "9"})
    for back in range(1, 3):
        at = NOON - timedelta(hours=back)
        make_event(person, "Viewed", occurred_at=at, properties={"size": "M"})
    make_event(person, "Viewed", occurred_at=NOON - timedelta(days=8), properties={})
    make_event(person, "Bought", properties={})

    check = check_planned(planned, now=NOON + timedelta(hours=1))

    assert check.looked == 3
    told = [(t.violation.kind, t.violation.property, t.count) for t in check.tallies]
    assert told == [
        ("missing", "price", 2),
        ("unknown", "size", 2),
        ("type", "price", 1),
    ]
    assert check.tallies[2].sample.pk == newest.pk


def test_gaps_are_told_both_ways_once_there_is_a_plan() -> None:
    for name in ("Viewed", "Wild", "$group"):
        EventName.objects.create(name=name)
    assert (list(find_gaps().unplanned), list(find_gaps().never_seen)) == ([], [])

    plan("Viewed")
    plan("Bought")

    gaps = find_gaps()
    assert [row.name for row in gaps.unplanned] == ["Wild"]
    assert [row.name for row in gaps.never_seen] == ["Bought"]


def test_each_change_is_in_the_trail() -> None:
    planned = plan("Viewed")
    save_planned(planned, expected=[Expected("a", "text")], actor="test")
    assert planned.properties == [{"name": "a", "type": "text", "required": False}]
    drop_planned(planned, actor="test")

    trail = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(trail) == ["added", "edited", "deleted"]
    assert not PlannedEvent.objects.exists()
