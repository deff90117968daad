from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifications.decisioning.decide import (
    Cancel,
    Decision,
    Defer,
    Expire,
    Facts,
    Send,
    Skip,
    decide,
)
from notifications.decisioning.frequency import CapRule, PastSend
from notifications.decisioning.quiet_hours import QuietWindow
from notifications.reasons import Reason

NOW = datetime(2025, 6, 11, 21, tzinfo=UTC)
MORNING = datetime(2025, 6, 12, 6, tzinfo=UTC)
EXPIRY = NOW + timedelta(hours=24)
BERLIN = ZoneInfo("Europe/Berlin")

NIGHT = QuietWindow(time(22), time(8))  # 23:00 in Berlin now
DAILY = CapRule("1 a day", "rolling", 1, "day")
COOLDOWN = CapRule("4 h apart", "cooldown", 1, "hour", 4)
NOTHING = CapRule("nothing", "rolling", 0, "day")
HOUR_AGO = PastSend(NOW - timedelta(hours=1), "push", 1)
FREE_AT = HOUR_AGO.at + timedelta(days=1)
COOL_AT = HOUR_AGO.at + timedelta(hours=4)

QUIET = {"quiet_windows": (NIGHT,)}
CAPPED = {"caps": (DAILY,), "sends": (HOUR_AGO,)}
COOLING = {"caps": (COOLDOWN,), "sends": (HOUR_AGO,)}
TRANSACTIONAL = {"purpose": "transactional"}

UNTIL_MORNING = "quiet until 2025-06-12 08:00 Europe/Berlin"
DAILY_DETAIL = "1 a day: free from 2025-06-12 22:00 Europe/Berlin"
COOL_DETAIL = "4 h apart: free from 2025-06-12 02:00 Europe/Berlin"


def make_facts(**changes: Any) -> Facts:
    """A person who may have the message now."""
    known: dict[str, Any] = {
        "now": NOW,
        "expires_at": EXPIRY,
        "erased": False,
        "merged": False,
        "source_state": "running",
        "switch_off": "",
        "permission_allowed": True,
        "permission_reason": None,
        "permission_detail": "",
        "address": "ok",
        "purpose": "promotional",
        "exit_reason": None,
        "exit_detail": "",
        "in_audience": None,
        "minor_blocked": False,
        "quiet_windows": (),
        "quiet_policy": "hold",
        "zone": BERLIN,
        "caps": (),
        "sends": (),
        "on_cap": "drop",
        "retry_until": None,
        "channel": "push",
        "topic_id": 1,
        "run_id": None,
        "exempt_caps": False,
        "exempt_quiet": False,
        "rate_free_at": None,
    }
    return Facts(**known | changes)


# Every fact that stands in the way, alone, in the order in which they are asked.
OBSTACLES: list[tuple[str, dict[str, Any], Decision]] = [
    ("erased", {"erased": True}, Cancel(Reason.PROFILE_ERASED)),
    ("merged", {"merged": True}, Cancel(Reason.MERGED)),
    (
        "campaign cancelled",
        {"source_state": "cancelled"},
        Cancel(Reason.PAUSED, "cancelled by staff"),
    ),
    ("expired", {"expires_at": NOW}, Expire()),
    (
        "goal reached",
        {"exit_reason": Reason.EXIT_GOAL, "exit_detail": "Order Completed"},
        Cancel(Reason.EXIT_GOAL, "Order Completed"),
    ),
    ("left the audience", {"in_audience": False}, Cancel(Reason.LEFT_AUDIENCE)),
    ("too young", {"minor_blocked": True}, Skip(Reason.MINOR)),
    (
        "no consent",
        {"permission_allowed": False, "permission_detail": "topic off"},
        Skip(Reason.NO_CONSENT, "topic off"),
    ),
    ("no device", {"address": "none"}, Skip(Reason.NO_ADDRESS)),
    (
        "kill switch",
        {"switch_off": "channel:push"},
        Defer(NOW + timedelta(seconds=60), Reason.SWITCH_OFF, "channel:push"),
    ),
    (
        "campaign paused",
        {"source_state": "paused"},
        Defer(NOW + timedelta(seconds=60), Reason.PAUSED),
    ),
    ("night", QUIET, Defer(MORNING, Reason.QUIET_HOURS, UNTIL_MORNING)),
    ("capped", CAPPED, Skip(Reason.CAPPED, DAILY_DETAIL)),
    (
        "no room in the rate",
        {"rate_free_at": NOW + timedelta(seconds=5)},
        Defer(NOW + timedelta(seconds=5), None),
    ),
]

VARIANTS: list[tuple[str, dict[str, Any], Decision]] = [
    ("nothing in the way", {}, Send()),
    ("asked again, and still in the audience", {"in_audience": True}, Send()),
    ("a finished campaign sends what it planned", {"source_state": "finished"}, Send()),
    ("a moment before expiry", {"expires_at": NOW + timedelta(microseconds=1)}, Send()),
    (
        "an event ended it",
        {"exit_reason": Reason.EXIT_EVENT},
        Cancel(Reason.EXIT_EVENT),
    ),
    (
        "suppressed, in the words of preferences",
        {"permission_allowed": False, "permission_reason": "suppressed"},
        Skip(Reason.SUPPRESSED),
    ),
    (
        "switched off on the device",
        {"address": "denied"},
        Skip(Reason.PERMISSION_DENIED),
    ),
    ("every device is dead", {"address": "dead"}, Skip(Reason.DEAD_ADDRESS)),
    (
        "a pause waits no longer than the expiry",
        {"source_state": "paused", "expires_at": NOW + timedelta(seconds=9)},
        Defer(NOW + timedelta(seconds=9), Reason.PAUSED),
    ),
    (
        "night, and dropped by policy",
        QUIET | {"quiet_policy": "drop"},
        Skip(Reason.QUIET_HOURS, UNTIL_MORNING),
    ),
    (
        "night until after the expiry",
        QUIET | {"expires_at": MORNING},
        Skip(Reason.QUIET_HOURS, f"{UNTIL_MORNING}, after its expiry"),
    ),
    (
        "night until just before the expiry",
        QUIET | {"expires_at": MORNING + timedelta(seconds=1)},
        Defer(MORNING, Reason.QUIET_HOURS, UNTIL_MORNING),
    ),
    ("morning", QUIET | {"now": MORNING}, Send()),
    ("night, exempt", QUIET | {"exempt_quiet": True}, Send()),
    ("night, transactional", QUIET | TRANSACTIONAL, Send()),
    ("cooling down", COOLING, Skip(Reason.COOLDOWN, COOL_DETAIL)),
    (
        "capped, and retried by policy",
        CAPPED | {"on_cap": "retry"},
        Defer(FREE_AT, Reason.CAPPED, DAILY_DETAIL),
    ),
    (
        "cooling down, and retried by policy",
        COOLING | {"on_cap": "retry", "retry_until": COOL_AT},
        Defer(COOL_AT, Reason.COOLDOWN, COOL_DETAIL),
    ),
    (
        "retried no longer than asked for",
        COOLING | {"on_cap": "retry", "retry_until": COOL_AT - timedelta(seconds=1)},
        Skip(Reason.COOLDOWN, COOL_DETAIL),
    ),
    (
        "retried no longer than the expiry",
        COOLING | {"on_cap": "retry", "expires_at": COOL_AT},
        Skip(Reason.COOLDOWN, COOL_DETAIL),
    ),
    (
        "a cap of nothing is never retried",
        {"caps": (NOTHING,), "on_cap": "retry"},
        Skip(Reason.CAPPED, "nothing: nothing allowed"),
    ),
    ("capped, exempt", CAPPED | {"exempt_caps": True}, Send()),
    ("capped, transactional", CAPPED | TRANSACTIONAL, Send()),
    (
        "step of the same run",
        {
            "caps": (COOLDOWN,),
            "sends": (PastSend(HOUR_AGO.at, "push", 1, run_id="run"),),
            "run_id": "run",
        },
        Send(),
    ),
    (
        "a tagged rule",
        {
            "caps": (CapRule("promo", "rolling", 0, "day", tag="promo"),),
            "tags": frozenset({"promo"}),
        },
        Skip(Reason.CAPPED, "promo: nothing allowed"),
    ),
    ("room in the rate", {"rate_free_at": NOW}, Send()),
    (
        "no room before the expiry",
        {"rate_free_at": EXPIRY + timedelta(seconds=1)},
        Defer(EXPIRY, None),
    ),
]


@pytest.mark.parametrize(("_case", "changes", "expected"), OBSTACLES + VARIANTS)
def test_decision(_case: str, changes: dict[str, Any], expected: Decision) -> None:
    assert decide(make_facts(**changes)) == expected


@pytest.mark.parametrize("first", range(len(OBSTACLES)))
def test_of_two_obstacles_the_one_asked_first_is_named(first: int) -> None:
    _, changes, _ = OBSTACLES[first]
    for _, later, _ in OBSTACLES[first + 1 :]:
        both = decide(make_facts(**later | changes))
        named = decide(make_facts(**changes))
        # Holds that end with the expiry show their own reason, whatever its date.
        assert type(both) is type(named) or isinstance(both, Expire)
        assert getattr(both, "reason", None) == getattr(named, "reason", None)


@pytest.mark.parametrize("changes", [QUIET, CAPPED, COOLING])
@pytest.mark.parametrize(
    "obstacle", [case for case in OBSTACLES if case[0] not in ("night", "capped")]
)
def test_transactional_is_exempt_from_quiet_hours_and_caps_alone(
    changes: dict[str, Any], obstacle: tuple[str, dict[str, Any], Decision]
) -> None:
    _, facts, expected = obstacle
    assert decide(make_facts(**changes | TRANSACTIONAL | facts)) == expected


REACHED = {
    *(Reason.PROFILE_ERASED, Reason.MERGED, Reason.PAUSED, Reason.EXIT_GOAL),
    *(Reason.EXIT_EVENT, Reason.LEFT_AUDIENCE, Reason.MINOR, Reason.NO_CONSENT),
    *(Reason.SUPPRESSED, Reason.NO_ADDRESS, Reason.PERMISSION_DENIED),
    *(Reason.DEAD_ADDRESS, Reason.SWITCH_OFF, Reason.QUIET_HOURS, Reason.CAPPED),
    Reason.COOLDOWN,
}


def test_table_reaches_every_reason_a_decision_can_give() -> None:
    given = {
        decision.reason
        for _, _, decision in OBSTACLES + VARIANTS
        if isinstance(decision, Defer | Skip | Cancel)
    }
    assert given - {None} == REACHED


def test_reason_stands_only_where_it_may() -> None:
    rungs = {Skip: "skipped", Cancel: "cancelled", Defer: "deferred"}
    for _, changes, _ in OBSTACLES + VARIANTS:
        decision = decide(make_facts(**changes))
        if isinstance(decision, Defer | Skip | Cancel) and decision.reason:
            assert rungs[type(decision)] in decision.reason.rungs


def test_no_wait_outlives_the_expiry() -> None:
    for _, changes, _ in OBSTACLES + VARIANTS:
        for minutes in (1, 60, 300, 600, 1500):
            expires_at = NOW + timedelta(minutes=minutes)
            decision = decide(make_facts(**changes | {"expires_at": expires_at}))
            if isinstance(decision, Defer):
                assert decision.until <= expires_at


def test_word_that_is_no_address_state_is_refused_loudly() -> None:
    with pytest.raises(KeyError):
        decide(make_facts(address="maybe"))


def test_permission_refused_for_an_unknown_reason_is_refused_loudly() -> None:
    with pytest.raises(ValueError, match="not a valid Reason"):
        decide(make_facts(permission_allowed=False, permission_reason="mood"))
