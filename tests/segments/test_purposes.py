from __future__ import annotations

from typing import Any

import pytest

from preferences.views import list_uses
from segments import membership
from segments.editing import save_segment
from segments.purposes import SegmentPurposes
from tests.factories import NOON, make_contact

pytestmark = pytest.mark.django_db


def make_segment(name: str, plan: str) -> None:
    leaf = {"type": "attribute", "trait": "plan", "op": "equals", "value": plan}
    segment = save_segment(name=name, rule={"version": 1, "root": leaf}, actor="x")
    membership.refresh_segment(segment, at=NOON)


def test_a_person_is_told_each_segment_they_are_in_and_its_rule(
    django_assert_num_queries: Any,
) -> None:
    ada = make_contact("ada", traits={"plan": "pro"})
    make_segment("Loyal", "pro")
    make_segment("Others", "free")
    with django_assert_num_queries(1):
        [use] = SegmentPurposes().uses(ada.pk)
    assert use.what == "You belong to our group “Loyal”"
    assert use.why.startswith("To decide which messages suit you. In it are: People")
    assert "pro" in use.why
    # The page of the preference center asks all providers.
    assert use in list_uses(ada.pk)


def test_who_is_in_no_segment_is_told_of_none() -> None:
    make_segment("Loyal", "pro")
    assert SegmentPurposes().uses(make_contact("bob").pk) == []
