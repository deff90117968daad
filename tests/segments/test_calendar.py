"""Days of the contact's calendar: Sundays, month ends, and nights of two midnights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from crm.models import Brand
from crm.models.contact import Contact
from crm.ports.facts import Sql
from segments.compile import compile_rule, compile_wakes
from segments.rules.validate import parse_rule
from tests.factories import make_contact, make_device

pytestmark = pytest.mark.django_db


def ask(op: str, value: Any) -> dict[str, Any]:
    return {"type": "attribute", "trait": "day", "op": op, "value": value}


def finds(node: dict[str, Any], contact: Contact, at: datetime) -> bool:
    sql = compile_rule(parse_rule({"version": 1, "root": node}), at=at)
    return (contact.pk,) in run(sql)


def find_wake(node: dict[str, Any], contact: Contact, at: datetime) -> datetime | None:
    sql = compile_wakes(parse_rule({"version": 1, "root": node}), at=at)
    assert sql is not None
    return dict(run(sql)).get(contact.pk)


def run(sql: Sql) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


@pytest.mark.parametrize(
    ("_case", "day", "period", "first", "last"),
    [
        ("a Sunday ends its week", "2026-03-08", "this_week", "03-02", "03-08"),
        ("the week before", "2026-03-08", "last_week", "03-09", "03-15"),
        ("the week after", "2026-03-08", "next_week", "02-23", "03-01"),
        ("a leap day", "2024-02-29", "this_month", None, None),
        ("the end of a month", "2026-01-31", "last_month", "02-01", "02-28"),
        ("next month", "2026-03-31", "next_month", "02-01", "02-28"),
        ("today", "2026-03-29", "today", "03-29", "03-29"),
        ("the quarter before", "2026-01-01", "last_quarter", "04-01", "06-30"),
    ],
)
def test_a_day_is_in_a_period_from_its_first_day_to_its_last(
    _case: str, day: str, period: str, first: str | None, last: str | None
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    contact = make_contact(traits={"day": day}, time_zone="Europe/Berlin")
    node = ask("during", period)
    if first is None or last is None:
        assert not finds(node, contact, datetime(2026, 2, 20, tzinfo=zone))
        return
    dawn = datetime.fromisoformat(f"2026-{first}").replace(tzinfo=zone)
    night = datetime.fromisoformat(f"2026-{last}T23:59:59").replace(tzinfo=zone)
    second = timedelta(seconds=1)

    before = dawn.astimezone(UTC) - second
    assert [finds(node, contact, at) for at in (before, dawn, night)] == [
        *(False, True, True)
    ]
    assert not finds(node, contact, night.astimezone(UTC) + second)
    assert find_wake(node, contact, before) == dawn
    assert find_wake(node, contact, dawn) == night.astimezone(UTC) + second


@pytest.mark.parametrize(
    ("_case", "zone", "wall", "instant"),
    [
        ("the first hour comes twice", "America/Havana", "2026-11-01", 4),
        ("no midnight at all", "Africa/Cairo", "2026-04-24", -2),
        ("an hour of the day is left out", "Europe/Berlin", "2026-03-29", -1),
    ],
)
def test_a_day_begins_at_its_first_moment(
    _case: str, zone: str, wall: str, instant: int
) -> None:
    contact = make_contact(traits={"day": wall}, time_zone=zone)
    dawn = datetime.fromisoformat(wall).replace(tzinfo=UTC) + timedelta(hours=instant)
    before = dawn - timedelta(seconds=1)

    assert find_wake(ask("during", "today"), contact, before) == dawn
    assert not finds(ask("during", "today"), contact, before)
    assert finds(ask("during", "today"), contact, dawn)


@pytest.mark.parametrize(
    ("_case", "born", "days", "on", "expected"),
    [
        ("the day itself", "1990-03-04", 0, "2026-03-04", True),
        ("the day after", "1990-03-04", 0, "2026-03-05", False),
        ("a week ahead", "1990-03-11", 7, "2026-03-04", True),
        ("more than a week ahead", "1990-03-12", 7, "2026-03-04", False),
        ("over the new year", "1990-01-02", 7, "2026-12-28", True),
        ("born today", "2026-03-04", 7, "2026-03-04", False),
        ("born tomorrow", "2026-03-05", 7, "2026-03-04", False),
        ("a leap day in a common year", "2024-02-29", 0, "2026-02-28", True),
        ("not the day after that", "2024-02-29", 0, "2026-03-01", False),
        ("a leap day in a leap year", "2024-02-29", 0, "2028-02-29", True),
        ("not the day before that", "2024-02-29", 0, "2028-02-28", False),
    ],
)
def test_anniversaries(
    _case: str, born: str, days: int, on: str, expected: bool
) -> None:
    contact = make_contact(traits={"day": born})
    at = datetime.fromisoformat(f"{on}T12:00").replace(tzinfo=UTC)

    assert finds(ask("anniversary", days), contact, at) == expected


def test_the_zone_is_the_profiles_then_the_devices_then_the_brands() -> None:
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    node = ask("during", "tomorrow")
    Brand.objects.create(
        name="B", slug="b", time_zone="Pacific/Kiritimati", is_default=True
    )
    own, device, lost, none = (
        make_contact(f"c{n}", traits={"day": "2026-03-05"}, time_zone=zone)
        for n, zone in enumerate(["Europe/Berlin", "GMT+99", "GMT+99", ""])
    )
    make_device(own, time_zone="Pacific/Kiritimati")
    make_device(device, time_zone="Europe/Berlin")
    make_device(lost, time_zone="nowhere")

    # In Kiritimati the fifth has come.
    found = [finds(node, contact, at) for contact in (own, device, lost, none)]
    assert found == [True, True, False, False]


def test_a_moment_is_the_day_that_it_was_where_the_contact_lives() -> None:
    at = datetime(2026, 3, 5, 3, tzinfo=UTC)
    late = "2026-03-04T23:30:00Z"
    berlin = make_contact("a", traits={"day": late}, time_zone="Europe/Berlin")
    york = make_contact("b", traits={"day": late}, time_zone="America/New_York")

    assert finds(ask("during", "today"), berlin, at)
    assert finds(ask("during", "today"), york, at)
    assert not finds(ask("during", "yesterday"), berlin, at)
