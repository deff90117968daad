from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.events.merge import merge_contacts
from crm.models import Contact
from crm.ports.facts import RuleError
from crm.privacy import erase_contact
from segments.editing import save_segment
from segments.lifecycle import build_stages, expire_stages, judge_stages, save_stages
from segments.lifecycle_figures import (
    count_moves,
    count_people,
    preview_stages,
    read_stage_days,
)
from segments.membership import contact_segments, refresh_segment
from segments.models import (
    ContactStage,
    Lifecycle,
    MembershipChange,
    StageChange,
    StageClock,
)
from segments.rules.stages import SHIPPED, read_stages
from segments.traits import build_next_piece, expire_traits, follow_events
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def make_person(known: float, active: float | None = None) -> Contact:
    """Known and last active so many days before AT."""
    return make_contact(
        known_since=AT - known * DAY,
        last_active_at=None if active is None else AT - active * DAY,
    )


def judge(*contacts: Contact, at: datetime = AT) -> dict[str, list[int]]:
    return judge_stages([one.pk for one in contacts], at=at, reason="after “Viewed”")


def stage(contact: Contact) -> str | None:
    """The stage, which the traits tell alike."""
    held = ContactStage.objects.filter(contact=contact).first()
    contact.refresh_from_db()
    found = held.stage if held else None
    assert contact.computed.get("lifecycle_stage") == found
    return found


def test_the_shipped_stages_put_each_person_into_one() -> None:
    save_stages(SHIPPED, actor="test")
    people = {
        "new": make_person(6, 1),
        "active": make_person(60, 13.9),
        "at_risk": make_person(60, 14),
        "churned": make_person(60, 45),
    }
    silent = {"at_risk": make_person(44), "churned": make_person(45)}
    judge(*people.values(), *silent.values())
    assert {key: stage(one) for key, one in people.items()} == {k: k for k in people}
    assert {key: stage(one) for key, one in silent.items()} == {k: k for k in silent}


def test_time_alone_moves_somebody_through_the_stages_at_each_second() -> None:
    save_stages(SHIPPED, actor="test")
    ada = make_person(0, 0)
    judge(ada)
    seen = [stage(ada)]
    for days in (7, 14, 45):
        edge = AT + days * DAY
        assert expire_stages(edge - SECOND, limit=9)[1] == {}
        assert expire_stages(edge, limit=9)[1] == {"lifecycle_stage": [ada.pk]}
        seen.append(stage(ada))
    assert seen == ["new", "active", "at_risk", "churned"]
    rows = StageChange.objects.order_by("pk").values_list("was", "now", "at", "reason")
    assert list(rows) == [
        ("", "new", AT, "after “Viewed”"),
        ("new", "active", AT + 7 * DAY, "time passed"),
        ("active", "at_risk", AT + 14 * DAY, "time passed"),
        ("at_risk", "churned", AT + 45 * DAY, "time passed"),
    ]
    assert judge(ada, at=AT + 46 * DAY) == {}


def test_an_event_brings_somebody_back_and_the_segment_follows() -> None:
    save_stages(SHIPPED, actor="test")
    ada = make_person(60, 50)
    leaf = {"type": "lifecycle", "stage": ["active"]}
    root = {**leaf, "within": {"amount": 2, "unit": "days"}}
    segment = save_segment(name="Back", rule={"version": 1, "root": root}, actor="t")
    refresh_segment(segment, at=AT - DAY)
    judge(ada)
    assert contact_segments(ada.pk) == []

    Contact.objects.filter(pk=ada.pk).update(last_active_at=AT)
    changes = follow_events({"Viewed": {ada.pk}}, profiles=(), at=AT)

    assert [(one.segment_id, one.action) for one in changes] == [
        (segment.pk, "entered")
    ]
    assert StageChange.objects.latest("pk").reason == "after “Viewed”"
    expire_traits(AT + 2 * DAY)


def test_new_stages_are_built_and_the_older_stand_until_then() -> None:
    save_stages(SHIPPED, actor="test")
    ada = make_person(60, 50)
    while build_next_piece(AT):
        pass
    assert stage(ada) == "churned"
    own = [{**SHIPPED[0], "key": "lead", "label": "Lead"}, {**SHIPPED[3], "key": "old"}]
    version = save_stages(own, actor="test")
    assert save_stages(own, actor="test") == version
    assert (version.number, stage(ada)) == (2, "churned")
    assert build_stages(AT) == (True, {"lifecycle_stage": [ada.pk]})
    assert stage(ada) == "old"
    assert build_stages(AT) == (True, {})
    assert build_stages(AT) == (False, {})
    assert Lifecycle.objects.get(number=2).built_at == AT


def test_a_build_of_stages_moves_segments_and_triggers_nothing() -> None:
    ada, bob = make_person(60, 50), make_person(60, 1)
    leaf = {"type": "lifecycle", "stage": ["churned"]}
    churned = save_segment(name="C", rule={"version": 1, "root": leaf}, actor="t")
    naming = {"version": 1, "root": {"type": "segment", "segment": churned.slug}}
    outer = save_segment(name="D", rule=naming, actor="t")
    for segment in (churned, outer):
        refresh_segment(segment, at=AT - DAY)
    # Not strangers, whom every segment would judge.
    follow_events({"Viewed": {ada.pk, bob.pk}}, profiles=(), at=AT - DAY)

    save_stages(SHIPPED, actor="test")
    while build_next_piece(AT):
        pass
    assert contact_segments(ada.pk) == [churned, outer]
    assert not MembershipChange.objects.unhandled().exists()

    expire_traits(AT + 50 * DAY)
    assert {one.contact for one in MembershipChange.objects.unhandled()} == {bob}


@pytest.mark.parametrize(
    ("stages", "path", "code"),
    [
        ([], "stages", "range"),
        ("x", "stages", "type"),
        ([SHIPPED[0], SHIPPED[0]], "stages[1].key", "unique"),
        ([SHIPPED[0], {**SHIPPED[1], "key": "A b"}], "stages[1].key", "form"),
        ([{**SHIPPED[0], "rule": {"version": 1, "root": {}}}],
         "stages[0].rule.root", "required"),
        ([{**SHIPPED[0], "rule": {"version": 1, "root":
           {"type": "lifecycle", "stage": "new"}}}], "stages[0].rule.root", "choice"),
        ([{**SHIPPED[0], "rule": {"version": 1, "root":
           {"type": "segment", "segment": "x"}}}], "stages[0].rule.root", "choice"),
        ([{**SHIPPED[0], "rule": {"version": 1, "root":
           {"type": "event", "name": "Viewed", "where": [
               {"property": "$product.stock", "op": "exists"}]}}}],
         "stages[0].rule.root", "choice"),
    ],
)  # fmt: skip
def test_wrong_stages_are_refused_with_their_path(
    stages: Any, path: str, code: str
) -> None:
    with pytest.raises(RuleError) as refused:
        save_stages(stages, actor="test")
    assert (refused.value.path, refused.value.code) == (path, code)
    assert not Lifecycle.objects.exists()


def test_a_merge_its_undo_and_an_erasure_keep_one_stage_a_person() -> None:
    save_stages(SHIPPED, actor="test")
    ada, bob = make_person(60, 50), make_person(60, 1)
    judge(ada, bob)
    merge_contacts(source_id=bob.pk, target_id=ada.pk, actor="test")
    expire_stages(datetime.now(UTC) + DAY, limit=9)
    assert not ContactStage.objects.filter(contact=bob).exists()
    erase_contact(ada, actor="test")
    assert stage(ada) is None
    assert not StageChange.objects.filter(contact=ada).exists()
    assert not StageClock.objects.filter(contact=ada).exists()


def test_figures_tell_people_moves_and_a_preview() -> None:
    ada, _ = make_person(60, 50), make_person(1, 1)
    preview = preview_stages(read_stages(SHIPPED), at=AT)
    assert [(one.label, one.size) for one in preview] == [
        ("New", 1),
        ("Active", 0),
        ("Churned", 1),
        ("At risk", 0),
    ]
    assert count_people() == []
    save_stages(SHIPPED, actor="test")
    judge(ada)
    Contact.objects.filter(pk=ada.pk).update(last_active_at=AT)
    judge(ada)
    assert [(one.label, one.share_pct) for one in count_people()][1] == ("Active", 100)
    (week,) = count_moves(now=AT + DAY, weeks=8)
    assert (week.total, week.moves[0].words) == (1, "Churned → Active")


def test_people_per_stage_are_reckoned_back_day_by_day() -> None:
    assert read_stage_days(at=AT, days=30) is None
    version = save_stages(SHIPPED, actor="test")
    Lifecycle.objects.filter(pk=version.pk).update(created_at=AT - 3 * DAY)
    ada, bob = make_person(60, 50), make_person(60, 5)
    judge(ada, bob, at=AT - 2 * DAY)
    Contact.objects.filter(pk=ada.pk).update(last_active_at=AT - DAY)
    judge(ada, at=AT - DAY)

    found = read_stage_days(at=AT, days=30)

    assert found is not None
    assert [day.isoformat() for day in found.on] == [
        *("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"),
    ]
    assert {one.label: list(one.sizes) for one in found.lines} == {
        "New": [0, 0, 0, 0],
        "Active": [0, 1, 2, 2],
        "Churned": [0, 1, 0, 0],
        "At risk": [0, 0, 0, 0],
    }
    short = read_stage_days(at=AT, days=2)
    assert short is not None
    assert [list(one.sizes) for one in short.lines][1] == [2, 2]
