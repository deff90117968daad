"""One message in plain words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifications.delivery.alerts import resolve_alert
from notifications.delivery.explain import explain_delivery, list_moments
from notifications.models import Alert, Delivery
from notifications.reasons import Reason
from tests.factories import NOON

WAITS = {"due_at": NOON, "expires_at": NOON + timedelta(days=1), "created_at": NOON}


@pytest.mark.parametrize(
    ("_case", "fields", "headline"),
    [
        (
            "waits",
            {"state": "pending"},
            "Waits for its turn: due 4 Mar 2026, 12:00 UTC",
        ),
        (
            "skipped",
            {"state": "skipped", "reason": "capped"},
            "Not sent: frequency cap reached",
        ),
        ("sent", {"state": "sent"}, "Sent"),
        ("later's", {"state": "failed", "reason": "new_one"}, "Failed"),
    ],
)
def test_each_end_has_a_headline(
    _case: str, fields: dict[str, str], headline: str
) -> None:
    assert explain_delivery(Delivery(**WAITS, **fields)).headline == headline


def test_an_answer_gives_the_facts_and_what_to_do() -> None:
    row = Delivery(**WAITS, state="skipped", reason="quiet_hours", detail="until 08:00")
    answer = explain_delivery(row)
    assert answer.detail == "until 08:00"
    assert answer.advice == Reason.QUIET_HOURS.sentence


@pytest.mark.parametrize("state", ["unknown", "expired", "held_out", "quarantined"])
def test_an_end_without_a_reason_still_says_what_to_do(state: str) -> None:
    assert explain_delivery(Delivery(**WAITS, state=state)).advice.endswith(".")


def test_every_state_can_be_told() -> None:
    for state in Delivery.State:
        assert explain_delivery(Delivery(**WAITS, state=state)).headline


def test_only_what_happened_is_a_moment() -> None:
    row = Delivery(**WAITS, state="sent", sent_at=NOON, finished_at=NOON)
    assert [moment.what for moment in list_moments(row)] == [
        "Planned",
        "Taken by the provider",
    ]


@pytest.mark.django_db
def test_an_alert_is_resolved_once() -> None:
    Alert.objects.raise_once(cause="test", text="Broken")
    alert = Alert.objects.get()
    assert resolve_alert(alert, by="test") is True
    assert resolve_alert(alert, by="test") is False
