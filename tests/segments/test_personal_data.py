from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm.clock import read_clock
from crm.models import Contact, Event
from segments import membership
from segments.editing import save_segment
from segments.models import JudgedContact, Membership, MembershipChange, Segment
from segments.personal_data import SegmentHolder
from tests.factories import make_contact, make_event

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
TWICE = {"type": "event", "name": "A", "count": {"op": "at_least", "n": 2}}


def make_segment(name: str, root: object) -> Segment:
    segment = save_segment(name=name, rule={"version": 1, "root": root}, actor="x")
    membership.refresh_segment(segment, at=AT)
    return segment


@pytest.mark.django_db
def test_a_merge_moves_memberships_and_judges_again_soon() -> None:
    source, target = make_contact(), make_contact()
    everyone = make_segment("Everyone", {"type": "everyone"})
    early = AT - timedelta(days=1)
    source_row = Membership.objects.filter(contact=source)
    source_row.update(entered_at=early)
    only_source = make_segment("Source", {"type": "event", "name": "A"})
    twice = make_segment("Twice", TWICE)
    for contact in (source, target):
        make_event(contact, "A", occurred_at=AT)
    membership.touch_contacts([source.pk], at=AT)
    journal = SegmentHolder().merge(source_id=source.pk, target_id=target.pk)
    Event.objects.filter(contact=source).update(contact=target)
    Contact.objects.filter(pk=source.pk).update(canonical=target)
    rows = Membership.objects.for_contact(target.pk)
    assert [(row.segment, row.entered_at) for row in rows] == [
        (everyone, early),
        (only_source, AT),
    ]
    assert len(journal["memberships"]) == len(journal["dropped"]) == 1
    assert not Membership.objects.filter(contact=source).exists()
    assert not MembershipChange.objects.filter(contact=source).exists()
    membership.expire_memberships(read_clock())
    assert membership.is_member(twice, target.pk)
    assert not membership.is_member(twice, source.pk)


@pytest.mark.django_db
def test_export_tells_and_erase_leaves_nothing() -> None:
    contact = make_contact()
    make_segment("Everyone", {"type": "everyone"})
    membership.touch_contacts([contact.pk], at=AT)
    holder = SegmentHolder()
    assert holder.export(contact.pk) == {
        "segments": [{"name": "Everyone", "since": "2026-03-04T12:00:00+00:00"}],
        "changes": [
            {
                "segment": "Everyone",
                "action": "entered",
                "at": "2026-03-04T12:00:00+00:00",
                "reason": "the segment was built",
            }
        ],
    }
    assert holder.erase(contact.pk) == {
        "segments.membership": 1,
        "segments.membershipchange": 1,
    }
    assert holder.export(contact.pk) == {"segments": [], "changes": []}
    assert not JudgedContact.objects.exists()
