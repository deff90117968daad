from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from notifications.channels.base import Outcome
from notifications.delivery.retry import Next, make_spread, plan_next
from notifications.reasons import Reason

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


def make_next(outcome: Outcome, **changes: Any) -> Next:
    known: dict[str, Any] = {
        "purpose": "promotional",
        "attempts_made": 1,
        "retry_after_s": None,
        "now": NOW,
        "expires_at": NOW + timedelta(hours=24),
        "spread": 0.0,
    }
    return plan_next(outcome, **known | changes)


def in_s(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("_case", "outcome", "changes", "expected"),
    [
        ("sent", Outcome.SENT, {}, Next("sent")),
        (
            "sent, though an earlier try was silent",
            Outcome.SENT,
            {"maybe_sent": True},
            Next("sent"),
        ),
        (
            "the payload was refused",
            Outcome.REJECTED,
            {},
            Next("failed", Reason.PROVIDER_REFUSED),
        ),
        (
            "the last device is gone",
            Outcome.DEAD_ADDRESS,
            {},
            Next("failed", Reason.DEAD_ADDRESS),
        ),
        (
            "another device is left",
            Outcome.DEAD_ADDRESS,
            {"has_other_address": True},
            Next("pending", due_at=NOW, counts_as_attempt=False),
        ),
        (
            "refused connection",
            Outcome.NOT_SENT,
            {"attempts_made": 0},
            Next("pending", due_at=in_s(10), counts_as_attempt=False),
        ),
        (
            "refused for the fourth time",
            Outcome.NOT_SENT,
            {"attempts_made": 0, "free_tries": 3},
            Next("pending", due_at=in_s(80), counts_as_attempt=False),
        ),
        (
            "refused for ages",
            Outcome.NOT_SENT,
            {"attempts_made": 0, "free_tries": 5000},
            Next("pending", due_at=in_s(600), counts_as_attempt=False),
        ),
        (
            "over quota",
            Outcome.NOT_SENT,
            {"attempts_made": 0, "retry_after_s": 60.0},
            Next("pending", due_at=in_s(60), counts_as_attempt=False),
        ),
        (
            "over quota, with jitter",
            Outcome.NOT_SENT,
            {"attempts_made": 0, "retry_after_s": 60.0, "spread": 0.5},
            Next("pending", due_at=in_s(75), counts_as_attempt=False),
        ),
        (
            "Retry-After of 0 is a second",
            Outcome.NOT_SENT,
            {"attempts_made": 0, "retry_after_s": 0.0},
            Next("pending", due_at=in_s(1), counts_as_attempt=False),
        ),
        (
            "Retry-After beyond the expiry",
            Outcome.NOT_SENT,
            {"attempts_made": 0, "retry_after_s": 1e300},
            Next("expired", counts_as_attempt=False),
        ),
        (
            "wrong key",
            Outcome.CONFIG,
            {"attempts_made": 0},
            Next("pending", Reason.PROVIDER_CONFIG, in_s(60), counts_as_attempt=False),
        ),
        (
            "wrong key until it is too late",
            Outcome.CONFIG,
            {"attempts_made": 0, "expires_at": in_s(60)},
            Next("failed", Reason.PROVIDER_CONFIG, counts_as_attempt=False),
        ),
        (
            "503 for a promotion",
            Outcome.NOT_ACCEPTED,
            {},
            Next("pending", Reason.PROVIDER_REFUSED, in_s(10)),
        ),
        (
            "503 for a promotion, again",
            Outcome.NOT_ACCEPTED,
            {"attempts_made": 2},
            Next("failed", Reason.PROVIDER_REFUSED),
        ),
        (
            "503 with a longer Retry-After",
            Outcome.NOT_ACCEPTED,
            {"retry_after_s": 120.0},
            Next("pending", Reason.PROVIDER_REFUSED, in_s(120)),
        ),
        (
            "503 with a shorter Retry-After",
            Outcome.NOT_ACCEPTED,
            {"retry_after_s": 1.0},
            Next("pending", Reason.PROVIDER_REFUSED, in_s(10)),
        ),
        (
            "503 for the fourth time, transactional",
            Outcome.NOT_ACCEPTED,
            {"purpose": "transactional", "attempts_made": 4},
            Next("pending", Reason.PROVIDER_REFUSED, in_s(80)),
        ),
        (
            "503 for the fifth time, transactional",
            Outcome.NOT_ACCEPTED,
            {"purpose": "transactional", "attempts_made": 5},
            Next("failed", Reason.PROVIDER_REFUSED),
        ),
        (
            "503 and no time left",
            Outcome.NOT_ACCEPTED,
            {"expires_at": in_s(10)},
            Next("failed", Reason.PROVIDER_REFUSED),
        ),
        ("silence for a promotion", Outcome.AMBIGUOUS, {}, Next("unknown")),
        (
            "silence, transactional",
            Outcome.AMBIGUOUS,
            {"purpose": "transactional"},
            Next("pending", due_at=in_s(10)),
        ),
        (
            "silence for the second time, transactional",
            Outcome.AMBIGUOUS,
            {"purpose": "transactional", "attempts_made": 2},
            Next("pending", due_at=in_s(20)),
        ),
        (
            "silence for the third time, transactional",
            Outcome.AMBIGUOUS,
            {"purpose": "transactional", "attempts_made": 3},
            Next("unknown"),
        ),
        (
            "silence and no time left, transactional",
            Outcome.AMBIGUOUS,
            {"purpose": "transactional", "expires_at": in_s(10)},
            Next("unknown"),
        ),
        (
            "refused after a silence: it may have arrived",
            Outcome.REJECTED,
            {"purpose": "transactional", "attempts_made": 2, "maybe_sent": True},
            Next("unknown"),
        ),
        (
            "too late after a silence: it may have arrived",
            Outcome.NOT_SENT,
            {"maybe_sent": True, "expires_at": in_s(5)},
            Next("unknown", counts_as_attempt=False),
        ),
    ],
)
def test_next_state(
    _case: str, outcome: Outcome, changes: dict[str, Any], expected: Next
) -> None:
    assert make_next(outcome, **changes) == expected


@pytest.mark.parametrize("outcome", Outcome)
def test_nothing_waits_beyond_its_expiry_or_for_ever(outcome: Outcome) -> None:
    waits = (None, 0.0, 3.5, 1e12)
    cases = product(
        ("promotional", "transactional"),
        range(8),
        waits,
        (1, 9.9, 61, 86_400),
        (0.0, 0.999),
        (False, True),
    )
    for purpose, attempts_made, wait_s, left_s, spread, other in cases:
        following = make_next(
            outcome,
            purpose=purpose,
            attempts_made=attempts_made,
            retry_after_s=wait_s,
            expires_at=in_s(left_s),
            spread=spread,
            has_other_address=other,
        )
        assert (following.state == "pending") == (following.due_at is not None)
        if following.due_at is not None:
            assert NOW <= following.due_at < in_s(left_s)
        if following.state == "failed":
            assert following.reason is not None


@pytest.mark.parametrize(
    ("purpose", "outcome", "posts"),
    [
        ("promotional", Outcome.AMBIGUOUS, 1),
        ("promotional", Outcome.NOT_ACCEPTED, 2),
        ("transactional", Outcome.AMBIGUOUS, 3),
        ("transactional", Outcome.NOT_ACCEPTED, 5),
    ],
)
def test_provider_that_never_recovers_sees_so_many_posts(
    purpose: str, outcome: Outcome, posts: int
) -> None:
    made = 0
    state = "pending"
    while state == "pending":
        made += 1
        state = make_next(outcome, purpose=purpose, attempts_made=made).state
    assert made == posts


def test_purpose_that_is_none_is_refused_loudly() -> None:
    with pytest.raises(KeyError):
        make_next(Outcome.AMBIGUOUS, purpose="marketing")


def test_spread_is_stable_and_even() -> None:
    assert make_spread("delivery-1") == make_spread("delivery-1")
    spreads = [make_spread(f"delivery-{number}") for number in range(10_000)]
    assert all(0 <= spread < 1 for spread in spreads)
    for tenth in range(10):
        share = sum(tenth / 10 <= spread < (tenth + 1) / 10 for spread in spreads)
        assert 900 <= share <= 1100
