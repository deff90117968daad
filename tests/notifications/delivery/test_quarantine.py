"""Quarantine: the two ways out, both through staff."""

from __future__ import annotations

import pytest

from crm.models import AuditEntry
from notifications.delivery.quarantine import drop_quarantined, retry_quarantined
from notifications.models import Delivery
from tests.factories import make_campaign, make_delivery

pytestmark = pytest.mark.django_db


def make_stuck(**fields: object) -> Delivery:
    return make_delivery(make_campaign(), state="quarantined", claims=3, **fields)


def test_a_retried_row_is_pending_with_a_clean_count() -> None:
    row = make_stuck(detail="Stopped a worker 3 times.")
    assert retry_quarantined([row.pk], by="test") == 1
    row.refresh_from_db()
    assert (row.state, row.claims, row.detail) == ("pending", 0, "")
    assert AuditEntry.objects.get(action="retried").object_id == str(row.pk)


def test_a_dropped_row_is_cancelled() -> None:
    row = make_stuck()
    assert drop_quarantined([row.pk], by="test") == 1
    row.refresh_from_db()
    assert (row.state, row.reason) == ("cancelled", "paused")


def test_a_dropped_row_that_may_have_arrived_is_unknown() -> None:
    row = make_stuck(maybe_sent=True)
    drop_quarantined([row.pk], by="test")
    row.refresh_from_db()
    assert row.state == "unknown"


def test_rows_that_are_not_in_quarantine_are_left_alone() -> None:
    row = make_delivery(make_campaign(), state="skipped", reason="capped")
    assert retry_quarantined([row.pk], by="test") == 0
    assert drop_quarantined([row.pk], by="test") == 0
    row.refresh_from_db()
    assert row.state == "skipped"
