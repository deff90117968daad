from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from crm.models import AuditEntry
from crm.ports.facts import RuleError
from segments import editing, membership
from segments.models import Membership, Segment, SegmentVersion
from segments.uses import list_uses
from tests.factories import make_campaign, make_contact

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
EVERYONE = {"version": 1, "root": {"type": "everyone"}}
OPENED = {"version": 1, "root": {"type": "event", "name": "app_open"}}


def naming(slug: str) -> dict[str, Any]:
    return {"version": 1, "root": {"type": "segment", "segment": slug}}


@pytest.mark.django_db
def test_a_new_segment_has_a_version_and_an_audit_row() -> None:
    segment = editing.save_segment(name="Été 50%", rule=OPENED, actor="api:apr_1")
    version = segment.current_version
    assert version is not None
    assert (segment.slug, segment.state, version.number) == ("ete-50", "building", 1)
    assert version.event_names == ["app_open"]
    assert version.summary == "People who performed “app_open” ever at least once."
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action) == ("api:apr_1", "created")


@pytest.mark.django_db
def test_an_edit_of_the_rule_adds_a_version_and_keeps_the_old_one() -> None:
    segment = editing.save_segment(name="A", rule=OPENED, actor="x")
    editing.save_segment(name="B", rule=EVERYONE, actor="x", segment=segment)
    segment.refresh_from_db()
    assert (segment.name, segment.slug) == ("B", "a")
    assert [v.rule for v in segment.versions.all()] == [EVERYONE, OPENED]
    entry = AuditEntry.objects.latest("pk")
    assert entry.changes == {"name": ["A", "B"], "version": 2}


@pytest.mark.django_db
def test_saving_what_is_there_already_changes_nothing() -> None:
    segment = editing.save_segment(name="A", rule=OPENED, actor="x")
    membership.refresh_segment(segment, at=AT)
    segment.refresh_from_db()
    editing.save_segment(name="A", rule=OPENED, actor="x", segment=segment)
    segment.refresh_from_db()
    assert segment.state == "live"
    assert SegmentVersion.objects.count() == AuditEntry.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "rule", "path", "code"),
    [
        ("wrong", {"version": 1, "root": {}}, "root", "required"),
        ("a ring", naming("second"), "root.segment", "cycle"),
        ("itself", naming("first"), "root.segment", "cycle"),
        ("nobody", naming("third"), "root.segment", "unknown_segment"),
    ],
)
def test_a_wrong_rule_leaves_everything_as_it_was(
    _case: str, rule: Any, path: str, code: str
) -> None:
    first = editing.save_segment(name="First", rule=OPENED, actor="x")
    editing.save_segment(name="Second", rule=naming("first"), actor="x")
    with pytest.raises(RuleError) as caught:
        editing.save_segment(name="New name", rule=rule, actor="x", segment=first)
    assert (caught.value.path, caught.value.code) == (path, code)
    stored = Segment.objects.get(slug="first")
    assert (stored.name, stored.current_version.rule) == ("First", OPENED)
    assert SegmentVersion.objects.count() == AuditEntry.objects.count() == 2


@pytest.mark.django_db
def test_depths_follow_an_edit() -> None:
    for name, rule in (("A", OPENED), ("B", OPENED), ("C", naming("b"))):
        editing.save_segment(name=name, rule=rule, actor="x")
    b = Segment.objects.get(slug="b")
    editing.save_segment(
        name="B", rule=naming("a"), actor="x", segment=b, confirmed=True
    )
    depths = dict(Segment.objects.values_list("slug", "depth"))
    assert depths == {"a": 0, "b": 1, "c": 2}


@pytest.mark.django_db
def test_slugs_of_like_names_differ() -> None:
    names = ["Gold", "gold!", "Gold?", "🌬️"]
    slugs = [
        editing.save_segment(name=name, rule=OPENED, actor="x").slug for name in names
    ]
    assert slugs == ["gold", "gold-2", "gold-3", "segment"]


@pytest.mark.django_db
@pytest.mark.parametrize("kind", Segment.Kind.values)
def test_a_segment_in_use_stays(kind: str) -> None:
    first = editing.save_segment(name="First", rule=OPENED, actor="x")
    second = editing.save_segment(
        name="Second", rule=naming("first"), actor="x", kind=kind
    )
    (use,) = list_uses(first)
    assert (use.name, use.is_live) == ("Second", kind == Segment.Kind.DYNAMIC)
    with pytest.raises(editing.SegmentInUse, match="used by Second"):
        editing.delete_segment(first, actor="x")
    editing.delete_segment(second, actor="x")
    editing.delete_segment(first, actor="x")
    assert not Segment.objects.exists()
    assert not SegmentVersion.objects.exists()


@pytest.mark.django_db
def test_a_static_segment_is_filled_by_hand_and_not_by_touches() -> None:
    inside, outside = make_contact(), make_contact()
    merged = make_contact(canonical=inside)
    segment = editing.save_segment(
        name="List", rule=EVERYONE, actor="x", kind=Segment.Kind.STATIC
    )
    membership.refresh_segment(segment, at=AT)
    editing.set_members(segment, [inside.pk, merged.pk], actor="x", at=AT)
    membership.touch_contacts([inside.pk, outside.pk], at=AT)
    assert [row.contact for row in Membership.objects.all()] == [inside]
    segment.refresh_from_db()
    assert segment.size == 1
    dynamic = editing.save_segment(name="Other", rule=EVERYONE, actor="x")
    with pytest.raises(ValueError, match="static"):
        editing.set_members(dynamic, [inside.pk], actor="x", at=AT)


@pytest.mark.django_db
def test_segments_that_name_a_static_one_follow_when_it_is_filled_by_hand() -> None:
    first, second, third = make_contact(), make_contact(), make_contact()
    listed = editing.save_segment(
        name="List", rule=EVERYONE, actor="x", kind=Segment.Kind.STATIC
    )
    inside = editing.save_segment(name="Inside", rule=naming("list"), actor="x")
    others = {"version": 1, "root": {"none": [naming("inside")["root"]]}}
    outside = editing.save_segment(name="Outside", rule=others, actor="x")
    for segment in (listed, inside, outside):
        membership.refresh_segment(segment, at=AT)
    editing.set_members(listed, [first.pk, second.pk], actor="x", at=AT)
    assert list_members(inside) == [first.pk, second.pk]
    assert list_members(outside) == [third.pk]
    editing.set_members(listed, [third.pk], actor="x", at=AT)
    assert list_members(inside) == [third.pk]
    assert list_members(outside) == [first.pk, second.pk]
    change = inside.changes.filter(contact=third).latest("pk")
    assert (change.action, change.reason) == ("entered", "“List” changed")
    assert change.handled_at is None


def list_members(segment: Segment) -> list[int]:
    found = Membership.objects.of_segment(segment).order_by("contact_id")
    return list(found.values_list("contact_id", flat=True))


@pytest.mark.django_db
def test_a_malformed_rule_cannot_pass_the_model() -> None:
    segment = editing.save_segment(name="A", rule=OPENED, actor="x")
    version = SegmentVersion(segment=segment, number=2, rule={"root": 1}, summary="x")
    with pytest.raises(ValidationError, match="version: must be 1"):
        version.full_clean()


@pytest.mark.django_db
def test_a_segment_that_a_campaign_names_cannot_be_deleted() -> None:
    segment = editing.save_segment(name="A", rule=OPENED, actor="x")
    campaign = make_campaign("Autumn", segment=segment)
    with pytest.raises(editing.SegmentInUse, match="Autumn"):
        editing.delete_segment(segment, actor="x")
    segment.refresh_from_db()
    assert segment.current_version is not None
    assert campaign.current_version.segment == segment
    assert not AuditEntry.objects.filter(action="deleted").exists()
