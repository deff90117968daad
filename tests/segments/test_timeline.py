from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segments import membership
from segments.editing import save_segment
from segments.timeline import SegmentTimeline
from tests.factories import make_contact

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_the_contact_page_shows_where_somebody_is_and_what_moved() -> None:
    contact = make_contact()
    rule = {"version": 1, "root": {"type": "everyone"}}
    segment = save_segment(name="Everyone", rule=rule, actor="x")
    membership.refresh_segment(segment, at=AT)
    url = f"/admin/segments/segment/{segment.pk}/people/"
    provider = SegmentTimeline()
    (panel,) = provider.panels(contact.pk)
    assert panel.rows == [("Everyone", "since 4 Mar 2026, 12:00", url)]
    later = AT + timedelta(seconds=1)
    (entry,) = provider.entries(contact.pk, before=later, limit=10)
    assert (entry.at, entry.title) == (AT, "Entered segment “Everyone”")
    assert (entry.detail, entry.url) == ("the segment was built", url)
    assert provider.entries(contact.pk, before=AT, limit=10) == []
