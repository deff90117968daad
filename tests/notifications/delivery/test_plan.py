"""One row per person and message, however often a run is planned."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from crm.models.ids import make_uuid7
from tests.notifications.factories import make_campaign, make_reachable, plan_for

pytestmark = pytest.mark.django_db


def test_a_run_planned_twice_writes_each_person_once() -> None:
    campaign, people = make_campaign(), [make_reachable(), make_reachable()]
    first = plan_for(campaign, *people)

    again = plan_for(campaign, *people)

    assert [row.pk for row in again] == [row.pk for row in first]


def test_another_occurrence_is_another_message() -> None:
    campaign, person = make_campaign(), make_reachable()
    plan_for(campaign, person, occurrence="2026-03-04")

    rows = plan_for(campaign, person, occurrence="2026-03-05")

    assert sorted(row.occurrence for row in rows) == ["2026-03-04", "2026-03-05"]


def test_the_database_refuses_a_second_row_for_one_person_and_message() -> None:
    campaign = make_campaign()
    (row,) = plan_for(campaign, make_reachable())
    row.pk = make_uuid7()

    with (
        pytest.raises(IntegrityError, match="delivery_once_per_person_and_message"),
        transaction.atomic(),
    ):
        row.save(force_insert=True)

    assert campaign.deliveries.count() == 1
