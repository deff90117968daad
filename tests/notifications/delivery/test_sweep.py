from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.delivery.sweep import sweep_leases
from notifications.models import Attempt, Delivery
from tests.notifications.factories import make_campaign, make_reachable, plan_for

pytestmark = pytest.mark.django_db


def make_leased(
    *, state: str, until_s: int, purpose: str = "promotional", claims: int = 1
) -> Delivery:
    """A row that a worker holds, its lease ending so many seconds from now."""
    (row,) = plan_for(make_campaign(), make_reachable())
    now, lease = timezone.now(), uuid.uuid4()
    Delivery.objects.filter(pk=row.pk).update(
        state=state,
        lease=lease,
        lease_until=now + timedelta(seconds=until_s),
        claims=claims,
        purpose_class=purpose,
        posts=1,
    )
    if state == "sending":
        Attempt.objects.create(
            delivery=row,
            contact_id=row.contact_id,
            number=1,
            channel="push",
            lease=lease,
            gated_at=now,
        )
    row.refresh_from_db()
    return row


@pytest.mark.parametrize(
    ("_case", "state", "until_s", "purpose", "claims", "ends_as"),
    [
        ("a claim that ran out", "claimed", -1, "promotional", 1, "pending"),
        ("a claim that holds", "claimed", 30, "promotional", 1, "claimed"),
        ("a lease from a clock ahead", "claimed", 9_000, "promotional", 1, "pending"),
        ("three claims lost", "claimed", -1, "promotional", 3, "quarantined"),
        ("a promotional send lost", "sending", -1, "promotional", 1, "unknown"),
        ("a transactional send lost", "sending", -1, "transactional", 1, "pending"),
        ("a send still running", "sending", 30, "promotional", 1, "sending"),
    ],
)
def test_a_lost_lease_ends_by_state_and_class(
    _case: str, state: str, until_s: int, purpose: str, claims: int, ends_as: str
) -> None:
    row = make_leased(state=state, until_s=until_s, purpose=purpose, claims=claims)
    assert sweep_leases().ran
    row.refresh_from_db()
    assert row.state == ends_as


def test_a_lost_send_leaves_its_attempt_unknown_and_says_maybe() -> None:
    row = make_leased(state="sending", until_s=-1)
    sweep_leases()
    row.refresh_from_db()
    assert row.maybe_sent
    assert row.attempts.get().state == "unknown"


def test_a_transactional_send_is_given_up_after_two_more() -> None:
    row = make_leased(state="sending", until_s=-1, purpose="transactional")
    Delivery.objects.filter(pk=row.pk).update(tries=2)
    sweep_leases()
    row.refresh_from_db()
    assert row.state == "unknown"


ENDS = ["sent", "skipped", "failed", "unknown", "expired", "cancelled", "quarantined"]


@pytest.mark.parametrize("before", ENDS)
@pytest.mark.parametrize("after", ["pending", "sent", "failed"])
def test_ends_are_final_but_for_two_edges(before: str, after: str) -> None:
    (row,) = plan_for(make_campaign(), make_reachable())
    Delivery.objects.filter(pk=row.pk).update(state=before, reason="paused")
    legal = (before, after) in {("unknown", "sent"), ("quarantined", "pending")}
    if legal or before == after:
        Delivery.objects.filter(pk=row.pk).update(state=after)
        return
    with pytest.raises(IntegrityError, match="final"), transaction.atomic():
        Delivery.objects.filter(pk=row.pk).update(state=after)
    row.refresh_from_db()
    assert row.state == before
