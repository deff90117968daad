from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from segments import tasks
from segments.editing import save_segment
from segments.membership import is_member
from tests.factories import make_contact, make_event

HOUR = {"amount": 1, "unit": "hours"}


@pytest.mark.django_db
def test_ticks_build_segments_and_let_time_pass() -> None:
    contact = make_contact()
    almost = timezone.now() - timedelta(minutes=59, seconds=59.6)
    make_event(contact, "app_open", occurred_at=almost)
    root = {"type": "event", "name": "app_open", "within": HOUR}
    segment = save_segment(name="A", rule={"version": 1, "root": root}, actor="x")
    assert tasks.refresh_segments() == 1
    assert is_member(segment, contact.pk)
    assert tasks.refresh_segments() == 0
    moved = 0
    deadline = timezone.now() + timedelta(seconds=10)
    while not moved and timezone.now() < deadline:
        moved = tasks.expire_memberships()
    assert moved == 1
    assert not is_member(segment, contact.pk)
    segment.refresh_from_db()
    assert segment.size == 0
