from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from segments import editing, figures, membership
from segments.deadline import TooSlow, stop_after
from segments.figures import DayFigures, Overlap, Size
from segments.models import MembershipChange, Segment
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}


def make_segment(name: str = "Pro", root: Any = None) -> Segment:
    rule = {"version": 1, "root": root or PRO}
    segment = editing.save_segment(name=name, rule=rule, actor="x")
    membership.refresh_segment(segment, at=AT)
    segment.refresh_from_db()
    return segment


def test_a_size_is_counted_up_to_the_limit_and_remembered_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        make_contact(traits={"plan": "pro"})
    segment = make_segment()
    Segment.objects.update(size=9)
    segment.refresh_from_db()
    assert figures.count_size(segment) == Size(3, is_exact=True)
    monkeypatch.setattr(figures, "EXACT_MAX", 2)
    assert figures.count_size(segment) == Size(9, is_exact=False, counted_at=AT)


def test_days_are_reckoned_back_from_the_size_of_now() -> None:
    segment = make_segment()
    Segment.objects.update(created_at=AT - 3 * DAY)
    segment.refresh_from_db()
    people = [make_contact() for _ in range(3)]
    moves = [(0, "entered", 3), (1, "entered", 3), (1, "entered", 1), (2, "left", 1)]
    for person, action, ago in moves:
        MembershipChange.objects.create(
            segment=segment, contact=people[person], action=action, at=AT - ago * DAY
        )
    found = figures.read_days(segment, size=4, at=AT, days=30)
    assert found == [
        DayFigures(date(2026, 3, 1), 2, 0, 4),
        DayFigures(date(2026, 3, 2), 0, 0, 4),
        DayFigures(date(2026, 3, 3), 1, 1, 4),
        DayFigures(date(2026, 3, 4), 0, 0, 4),
    ]
    assert figures.read_days(segment, size=4, at=AT, days=1) == found[-1:]


def test_an_overlap_counts_both_and_each_alone() -> None:
    for plan, city in (("pro", "Rome"), ("pro", "Oslo"), ("pro", ""), ("", "Rome")):
        make_contact(traits={"plan": plan, "city": city})
    pros = make_segment()
    rome = make_segment("Rome", {**PRO, "trait": "city", "value": "Rome"})
    assert figures.measure_overlap(pros, rome) == Overlap(1, 2, 1)
    assert figures.measure_overlap(rome, pros) == Overlap(1, 1, 2)


def test_a_statement_is_stopped_and_the_limit_comes_back() -> None:
    with pytest.raises(TooSlow), stop_after(20), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"


def test_a_build_that_waits_knows_its_place_and_one_that_runs_its_share() -> None:
    first, second = (
        editing.save_segment(name=name, rule={"version": 1, "root": PRO}, actor="x")
        for name in ("A", "B")
    )
    waiting = figures.read_progress(second, at=AT)
    assert waiting is not None
    assert (waiting.is_running, waiting.ahead, waiting.done_pct) == (False, 1, None)
    second.build_s, second.build_started_at = 10.0, AT - timedelta(seconds=4)
    running = figures.read_progress(second, at=AT)
    assert running is not None
    assert (running.is_running, running.elapsed_s, running.done_pct) == (True, 4.0, 40)
    late = figures.read_progress(second, at=AT + DAY)
    assert late is not None
    assert late.done_pct == figures.DONE_PCT_MAX
    membership.refresh_segment(first, at=AT)
    first.refresh_from_db()
    assert figures.read_progress(first, at=AT) is None


def test_a_build_notes_whose_rule_it_was_and_how_long_it_took() -> None:
    segment = make_segment()
    assert segment.built_version == segment.current_version
    assert segment.build_started_at is None
    assert segment.build_s is not None
    editing.save_segment(
        name="Pro",
        rule={"version": 1, "root": {**PRO, "value": "max"}},
        actor="x",
        segment=segment,
    )
    segment.refresh_from_db()
    assert (segment.built_version.number, segment.current_version.number) == (1, 2)


def test_an_edit_during_a_build_still_waits_for_its_own() -> None:
    segment = make_segment()
    building = Segment.objects.get(pk=segment.pk)
    editing.save_segment(
        name="Pro",
        rule={"version": 1, "root": {**PRO, "value": "max"}},
        actor="x",
        segment=segment,
    )
    building.finish_build(at=AT, size=3, took_s=1.0)
    segment.refresh_from_db()
    assert (segment.state, segment.size) == ("building", 3)
    assert segment.built_version.number == 1
    building.fail_build("too late")
    segment.refresh_from_db()
    assert (segment.state, segment.failure) == ("building", "")
