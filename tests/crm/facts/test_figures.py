"""What events amount to, and when time alone makes it another answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from crm.facts.figures import AggregateSource
from crm.ports.facts import Scope, Sql
from tests.factories import make_contact, make_event

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
THREE = {"amount": 3, "unit": "days"}
WEEK = {"within": {"amount": 7, "unit": "days"}}


def run(sql: Sql) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


# Days ago and properties of each event; the rule; whether Ada is in; days until not.
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("events", "node", "now", "ends"),
    [
        ([(1, {})], {"measure": "first_at", "op": "more_than_ago", "value": THREE},
         False, 2),
        ([(9, {}), (1, {})],
         {"measure": "last_at", "op": "within_last", "value": THREE}, True, 2),
        ([(6, {}), (1, {})],
         {"measure": "last_at", "op": "before", "value": "2027-01-01"} | WEEK, True, 6),
        ([(6, {"p": 100}), (1, {"p": 1})],
         {"measure": "average", "property": "p", "op": "gte", "value": 10} | WEEK,
         True, 1),
        ([(6, {"p": "red"}), (5, {"p": "red"}), (1, {"p": "blue"})],
         {"measure": "most_frequent", "property": "p", "op": "equals", "value": "red"}
         | WEEK, True, 1),
        ([(6, {}), (1, {})], {"measure": "count", "op": "lt", "value": 2} | WEEK,
         False, 1),
        ([(-2, {"p": "new"}), (1, {"p": "old"})],
         {"measure": "last", "property": "p", "op": "equals", "value": "new"},
         False, 2),
    ],
)  # fmt: skip
def test_the_clock_is_set_to_the_second_at_which_the_answer_moves(
    events: list[Any], node: dict[str, Any], now: bool, ends: int
) -> None:
    ada = make_contact()
    for days, properties in events:
        make_event(ada, "A", occurred_at=AT - days * DAY, properties=properties)
    condition = AggregateSource().parse(
        {"type": "aggregate", "name": "A", **node}, "root"
    )

    def is_in(at: datetime) -> bool:
        return run(condition.select(Scope(at)).sql) == [(ada.pk,)]

    wake = condition.wake(Scope(AT))
    assert wake is not None
    moment = min(at for _, at in run(wake) if at > AT)

    assert moment == AT + ends * DAY
    assert [is_in(AT), is_in(moment - TICK), is_in(moment)] == [now, now, not now]
