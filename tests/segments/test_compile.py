from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.ports.facts import Sql
from segments.compile import compile_rule, compile_wakes
from segments.rules.validate import parse_rule
from tests.factories import make_contact, make_event
from tests.segments.oracle import Person, matches
from tests.segments.strategies import AT, HALF_DAYS, NODE, PERSON, store


def run(sql: Sql) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        rows = [row[0] for row in cursor.fetchall()]
    assert len(rows) == len(set(rows)), "each contact once"
    return set(rows)


@pytest.mark.django_db
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(root=NODE, people=st.lists(PERSON, min_size=3, max_size=8), later=HALF_DAYS)
def test_sql_answers_as_the_plain_evaluator_does(
    root: dict[str, Any], people: list[Person], later: int
) -> None:
    data = {"version": 1, "root": root}
    rule = parse_rule(data)
    with transaction.atomic():
        ids = store(people)
        who = dict(zip(ids, people, strict=True))
        expected = {pk for pk, one in who.items() if matches(data, one, AT)}
        assert run(compile_rule(rule, at=AT)) & set(ids) == expected
        some = ids[::2]
        assert run(compile_rule(rule, at=AT, contacts=some)) == expected & set(some)
        wakes = compile_wakes(rule, at=AT, contacts=ids)
        all_wakes = compile_wakes(rule, at=AT)
        check_wakes(data, who, wakes, later, expected)
        # The full base may leave out people whom no clock can bring in.
        check_wakes(data, who, all_wakes, later, expected)
        transaction.set_rollback(True)


def check_wakes(
    data: dict[str, Any],
    who: dict[int, Person],
    wakes: Sql | None,
    later: int,
    before: set[int],
) -> None:
    """Nobody moves with time before the clock that was set for them."""
    then = AT + timedelta(hours=12 * abs(later))
    due: dict[int, datetime] = {}
    if wakes is not None:
        with connection.cursor() as cursor:
            cursor.execute(wakes.text, wakes.params)
            due = dict(cursor.fetchall())
    for pk, person in who.items():
        if pk not in due or due[pk] > then:
            assert matches(data, person, then) == (pk in before), (pk, due.get(pk))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "ago", "inside"),
    [
        ("just now", timedelta(0), True),
        ("a microsecond inside", timedelta(days=7) - timedelta(microseconds=1), True),
        ("exactly one window ago", timedelta(days=7), False),
        ("older", timedelta(days=7, microseconds=1), False),
        ("still to come", -timedelta(microseconds=1), False),
    ],
)
def test_window_is_half_open(_case: str, ago: timedelta, inside: bool) -> None:
    contact = make_contact(known_since=AT - timedelta(days=90))
    make_event(contact, "app_open", occurred_at=AT - ago)
    week = {"amount": 7, "unit": "days"}
    done = {"type": "event", "name": "app_open", "within": week}
    away = {"type": "not_performed", "name": "app_open", "within": week}
    for node, expected in ((done, inside), (away, not inside)):
        rule = parse_rule({"version": 1, "root": node})
        assert run(compile_rule(rule, at=AT)) == ({contact.pk} if expected else set())


HOSTILE = [
    "'", '"', "%", "%s", "%(a)s", "__", "a'); DROP TABLE crm_contact; --", "\\", "🌬️",
    "{}", "{0}", "$1", "?", "a->>b", "a\tb", "\u202e", "key with spaces", "ключ",
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_keys_and_values_are_only_ever_data(key: str) -> None:
    contact = make_contact(traits={key: key})
    make_contact(traits={"other": "x"})
    make_event(contact, key, occurred_at=AT, properties={key: key})
    nodes: list[dict[str, Any]] = [
        {"type": "attribute", "trait": key, "op": op, "value": key}
        for op in ("equals", "contains", "starts_with")
    ]
    nodes.append({"type": "attribute", "trait": key, "op": "in", "value": [key] * 30})
    nodes.append({"type": "attribute", "trait": key, "op": "exists"})
    where = [{"property": key, "op": "contains", "value": key}]
    nodes.append({"type": "event", "name": key, "where": where})
    for node in nodes:
        rule = parse_rule({"version": 1, "root": node})
        assert run(compile_rule(rule, at=AT)) == {contact.pk}, node


@pytest.mark.django_db
@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    key=st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
        min_size=1,
        max_size=40,
    )
)
def test_any_trait_key_can_be_asked(key: str) -> None:
    if not key.strip():
        return
    with transaction.atomic():
        contact = make_contact(None, traits={key: 1})
        node = {"type": "attribute", "trait": key, "op": "gte", "value": 1}
        rule = parse_rule({"version": 1, "root": node})
        assert run(compile_rule(rule, at=AT)) == {contact.pk}
        transaction.set_rollback(True)
