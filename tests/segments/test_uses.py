from __future__ import annotations

from typing import Any

import pytest

from crm.models import AuditEntry
from crm.ports.audiences import name_uses
from segments import editing
from segments.models import Segment
from segments.uses import list_uses
from tests.factories import make_campaign

pytestmark = pytest.mark.django_db
EVERYONE = {"version": 1, "root": {"type": "everyone"}}
PRO = {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"}
PROS = {"version": 1, "root": PRO}


def make_segment(name: str = "Pro", rule: Any = PROS) -> Segment:
    return editing.save_segment(name=name, rule=rule, actor="x")


def naming(slug: str) -> dict[str, Any]:
    return {"version": 1, "root": {"type": "segment", "segment": slug}}


def edit(segment: Segment, rule: Any = EVERYONE, **said: Any) -> Segment:
    return editing.save_segment(
        name=segment.name, rule=rule, actor="x", segment=segment, **said
    )


@pytest.mark.parametrize(
    ("state", "is_listed", "is_live"),
    [
        ("draft", True, False),
        ("scheduled", True, True),
        ("running", True, True),
        ("paused", True, True),
        ("finished", False, False),
        ("cancelled", False, False),
    ],
)
def test_campaigns_use_a_segment_until_they_end(
    state: str, is_listed: bool, is_live: bool
) -> None:
    segment = make_segment()
    extra = {"paused_at": "2026-03-04T12:00Z"} if state == "paused" else {}
    campaign = make_campaign("Win back", segment=segment)
    type(campaign).objects.update(state=state, **extra)
    uses = list_uses(segment)
    assert [use.name for use in uses] == ["Win back"] * is_listed
    assert [use.is_live for use in uses] == [is_live] * is_listed
    if is_live:
        with pytest.raises(editing.ConfirmationNeeded, match="campaign “Win back”"):
            edit(segment)
    else:
        assert edit(segment).current_version.number == 2


def test_a_rule_that_another_segment_names_changes_only_when_it_is_confirmed() -> None:
    segment = make_segment()
    make_segment("VIPs", naming("pro"))
    with pytest.raises(editing.ConfirmationNeeded, match="segment “VIPs”"):
        edit(segment)
    segment = Segment.objects.get(pk=segment.pk)
    assert segment.current_version.rule == PROS
    assert segment.versions.count() == 1

    edit(segment, confirmed=True)
    entry = AuditEntry.objects.latest("pk")
    assert entry.changes == {"version": 2, "confirmed_for": ["segment “VIPs”"]}


def test_a_name_changes_without_asking() -> None:
    segment = make_segment()
    make_campaign(segment=segment)
    saved = editing.save_segment(name="Payers", rule=PROS, actor="x", segment=segment)
    assert (saved.name, saved.current_version.number) == ("Payers", 1)


def test_many_users_are_named_in_part() -> None:
    segment = make_segment()
    for n in range(7):
        make_campaign(f"C{n}", segment=segment)
    assert name_uses(list_uses(segment)).endswith("campaign “C4” and 2 more")


def test_an_older_version_is_restored_as_a_new_one_and_audited() -> None:
    segment = make_segment()
    edit(segment)
    editing.restore_version(segment, 1, actor="ada")
    segment.refresh_from_db()
    assert (segment.current_version.number, segment.current_version.rule) == (3, PROS)
    assert segment.state == "building"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor_name, entry.action) == ("ada", "edited")
    assert entry.changes == {"version": 3, "restored": 1}


def test_a_restore_under_a_live_campaign_asks_too() -> None:
    segment = make_segment()
    edit(segment)
    make_campaign("Win back", segment=segment)
    with pytest.raises(editing.ConfirmationNeeded):
        editing.restore_version(segment, 1, actor="ada")
    assert segment.versions.count() == 2
    editing.restore_version(segment, 1, actor="ada", confirmed=True)
    assert segment.versions.count() == 3


def test_a_version_that_names_a_segment_that_is_gone_is_not_restored() -> None:
    gone = make_segment("Gone")
    segment = make_segment("Pro", naming("gone"))
    edit(segment)
    editing.delete_segment(gone, actor="x")
    with pytest.raises(editing.RuleError, match="no segment 'gone'"):
        editing.restore_version(segment, 1, actor="x")
    assert segment.versions.count() == 2


def test_a_copy_has_the_rule_and_a_free_name() -> None:
    segment = make_segment("Pro " + "x" * 196)
    first = editing.copy_segment(segment, actor="x")
    second = editing.copy_segment(segment, actor="x")
    assert first.name.startswith("Copy of Pro xx")
    assert second.name == f"{first.name} 2"
    assert len(second.name) <= 200
    assert second.current_version.rule == PROS
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.changes["copied_from"]) == ("created", segment.slug)


def test_an_edit_keeps_what_a_build_wrote_meanwhile() -> None:
    segment = make_segment()
    stale = Segment.objects.get(pk=segment.pk)
    Segment.objects.update(state="live", size=7)
    editing.save_segment(name="Payers", rule=PROS, actor="x", segment=stale)
    segment.refresh_from_db()
    assert (segment.name, segment.state, segment.size) == ("Payers", "live", 7)
