"""Each family of conditions alone against the plain evaluator, clock moves included."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.compile import compile_rule, compile_wakes
from segments.rules.validate import parse_rule
from tests.segments.oracle import Person, matches
from tests.segments.strategies import AT, FAMILIES, PEOPLE, store
from tests.segments.test_compile import check_wakes, run

TICK = timedelta(microseconds=1)


@pytest.mark.django_db
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_answers_as_the_plain_evaluator_does(family: str) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        root=FAMILIES[family], people=PEOPLE, shift=st.sampled_from([-TICK, 0 * TICK])
    )
    def check(root: dict[str, Any], people: list[Person], shift: timedelta) -> None:
        data, at = {"version": 1, "root": root}, AT + shift
        rule = parse_rule(data)
        with transaction.atomic():
            ids = store(people)
            who = dict(zip(ids, people, strict=True))
            expected = {pk for pk, one in who.items() if matches(data, one, at)}
            assert run(compile_rule(rule, at=at)) & set(ids) == expected
            for some in (ids[::2], ids[:1]):
                found = run(compile_rule(rule, at=at, contacts=some))
                assert found == expected & set(some)
            for wakes in (
                compile_wakes(rule, at=at, contacts=ids),
                compile_wakes(rule, at=at),
            ):
                for later in (1, 2, 5):
                    check_wakes(data, who, wakes, later, expected)
            transaction.set_rollback(True)

    check()
