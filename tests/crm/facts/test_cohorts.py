from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.buckets import hash_position
from crm.facts.cohorts import CohortSource, draw_numbers
from crm.ports.facts import Scope, Sql
from notifications.experiments.assign import assign_bucket
from tests.crm.test_buckets import VECTORS
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def run(sql: Sql) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql.text, sql.params)
        return cursor.fetchall()


def find(**node: Any) -> set[int]:
    condition = CohortSource().parse({"type": "cohort", **node}, "root")
    return {pk for (pk,) in run(condition.select(Scope(AT)).sql)}


@pytest.mark.parametrize(("seed", "value", "expected"), VECTORS)
def test_sql_gives_growthbooks_published_vectors(
    seed: str, value: str, expected: float
) -> None:
    texts = Sql("SELECT 1 AS contact_id, %s::text AS text", (value,))

    ((_, number),) = run(draw_numbers(texts, seed, length=len(value)))

    assert number / 10_000 == expected


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    people=st.lists(st.uuids(), min_size=50, max_size=50),
    seed=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
def test_sql_and_python_draw_the_same_number_for_everybody(
    people: list[UUID], seed: str
) -> None:
    texts = Sql(
        "SELECT n AS contact_id, uuid::text AS text "
        "FROM unnest(%s::uuid[]) WITH ORDINALITY AS t (uuid, n)",
        (people,),
    )

    numbers = dict(run(draw_numbers(texts, seed)))

    assert numbers == {
        n: round(hash_position(seed, str(uuid)) * 10_000)
        for n, uuid in enumerate(people, start=1)
    }


def test_a_share_takes_whom_an_experiment_of_that_seed_takes() -> None:
    people = [make_contact() for _ in range(60)]

    assert find(to=30, seed="spring") == {
        one.pk for one in people if assign_bucket("spring", str(one.uuid), (0.3,)) == 0
    }


def test_shares_laid_end_to_end_part_everybody_once() -> None:
    people = {make_contact().pk for _ in range(60)}
    shares = [find(to=33.33), find(**{"from": 33.33, "to": 70}), find(**{"from": 70})]

    assert set.union(*shares) == people
    assert sum(len(share) for share in shares) == len(people)
    assert all(shares)
    # Another seed is another draw.
    assert find(to=50, seed="a") != find(to=50, seed="b")
