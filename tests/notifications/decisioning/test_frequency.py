from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from notifications.decisioning.frequency import (
    UNIT_LENGTHS,
    CapHit,
    CapRule,
    PastSend,
    check_caps,
    find_horizon,
)
from notifications.decisioning.zones import to_wall
from notifications.reasons import Reason
from tests.notifications.zone_changes import SAMPLE_ZONES

NOW = datetime(2025, 6, 11, 12, tzinfo=UTC)  # a Wednesday
UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def make_rule(**changes: Any) -> CapRule:
    known: dict[str, Any] = {
        "name": "rule",
        "kind": "rolling",
        "limit": 1,
        "unit": "day",
    }
    return CapRule(**known | changes)


def make_send(when: datetime | str, **changes: Any) -> PastSend:
    when = at(when) if isinstance(when, str) else when
    return PastSend(**{"at": when, "channel": "push", "topic_id": 1} | changes)


def check(
    rules: Sequence[CapRule], sends: Sequence[PastSend], **changes: Any
) -> CapHit | None:
    known: dict[str, Any] = {
        "at": NOW,
        "zone": UTC_ZONE,
        "channel": "push",
        "topic_id": 1,
    }
    return check_caps(rules, sends, **known | changes)


@pytest.mark.parametrize(
    ("_case", "rule", "sent", "free_at"),
    [
        ("nothing sent yet", {}, [], None),
        ("a second too soon", {}, ["2025-06-10T12:00:01Z"], "2025-06-11T12:00:01Z"),
        ("a whole day ago", {}, ["2025-06-10T12:00:00Z"], None),
        ("just now", {}, ["2025-06-11T12:00:00Z"], "2025-06-12T12:00:00Z"),
        ("one of two", {"limit": 2}, ["2025-06-11T11:00Z"], None),
        (
            "two of two: free when the elder leaves",
            {"limit": 2},
            ["2025-06-11T11:00Z", "2025-06-11T10:00Z"],
            "2025-06-12T10:00Z",
        ),
        (
            "three of two: free when two have left",
            {"limit": 2},
            ["2025-06-11T09:00Z", "2025-06-11T11:00Z", "2025-06-11T10:00Z"],
            "2025-06-12T10:00Z",
        ),
        (
            "over several units",
            {"n": 3, "unit": "hour"},
            ["2025-06-11T09:30Z"],
            "2025-06-11T12:30Z",
        ),
        (
            "a rolling month is 30 days",
            {"unit": "month"},
            ["2025-05-13T12:00Z"],
            "2025-06-12T12:00Z",
        ),
        ("None is no limit", {"limit": None}, ["2025-06-11T12:00Z"] * 99, None),
        (
            "a clock ahead of ours",
            {},
            ["2025-06-11T12:00:05Z"],
            "2025-06-12T12:00:05Z",
        ),
        (
            "calendar day: the same date",
            {"kind": "calendar"},
            ["2025-06-11T00:00Z"],
            "2025-06-12T00:00Z",
        ),
        (
            "calendar day: a minute to midnight",
            {"kind": "calendar"},
            ["2025-06-10T23:59Z"],
            None,
        ),
        (
            "calendar week: from Monday",
            {"kind": "calendar", "unit": "week"},
            ["2025-06-09T00:00Z"],
            "2025-06-16T00:00Z",
        ),
        (
            "calendar week: Sunday was another",
            {"kind": "calendar", "unit": "week"},
            ["2025-06-08T23:59Z"],
            None,
        ),
        (
            "calendar month",
            {"kind": "calendar", "unit": "month"},
            ["2025-06-01T00:00Z"],
            "2025-07-01T00:00Z",
        ),
        (
            "calendar months over the turn of a year",
            {"kind": "calendar", "unit": "month", "n": 9},
            ["2025-05-31T00:00Z"],
            "2026-02-01T00:00Z",
        ),
        (
            "calendar hour",
            {"kind": "calendar", "unit": "hour"},
            ["2025-06-11T12:00Z"],
            "2025-06-11T13:00Z",
        ),
        (
            "two calendar days: today and yesterday",
            {"kind": "calendar", "n": 2},
            ["2025-06-10T00:00Z"],
            "2025-06-12T00:00Z",
        ),
    ],
)  # fmt: skip
def test_cap(
    _case: str, rule: dict[str, Any], sent: list[str], free_at: str | None
) -> None:
    cap = make_rule(**rule)
    hit = check([cap], [make_send(when) for when in sent])
    expected = CapHit(cap, Reason.CAPPED, at(free_at)) if free_at else None
    assert hit == expected


@pytest.mark.parametrize(
    ("_case", "zone", "now", "free_at"),
    [
        ("Berlin", "Europe/Berlin", "2025-06-11T21:59Z", "2025-06-11T22:00Z"),
        ("Auckland", "Pacific/Auckland", "2025-06-11T11:59Z", "2025-06-11T12:00Z"),
        (
            "midnight is skipped in Cairo",
            "Africa/Cairo",
            "2025-04-24T21:30Z",
            "2025-04-24T22:00Z",
        ),
        (
            "a day of 25 hours in New York",
            "America/New_York",
            "2025-11-02T05:00Z",
            "2025-11-03T05:00Z",
        ),
    ],
)
def test_calendar_day_is_the_persons_own(
    _case: str, zone: str, now: str, free_at: str
) -> None:
    cap = make_rule(kind="calendar")
    hit = check([cap], [make_send(now)], at=at(now), zone=ZoneInfo(zone))
    assert hit == CapHit(cap, Reason.CAPPED, at(free_at))
    assert check([cap], [make_send(now)], at=at(free_at), zone=ZoneInfo(zone)) is None


def test_calendar_hour_is_the_one_on_the_persons_clock() -> None:
    cap = make_rule(kind="calendar", unit="hour")
    sends, kolkata = [make_send("2025-06-11T12:35:10Z")], ZoneInfo("Asia/Kolkata")
    hit = check([cap], sends, at=at("2025-06-11T12:40Z"), zone=kolkata)
    assert hit == CapHit(cap, Reason.CAPPED, at("2025-06-11T13:30Z"))


def test_of_two_rules_that_free_together_the_first_is_named() -> None:
    first, second = make_rule(name="first"), make_rule(name="second")
    hit = check([first, second], [make_send(NOW)])
    assert hit is not None
    assert hit.rule is first


def test_limit_of_zero_allows_nothing_ever() -> None:
    none = make_rule(limit=0)
    assert check([make_rule(), none], [make_send(NOW)]) == CapHit(
        none, Reason.CAPPED, None
    )


def test_all_rules_hold_and_the_longest_is_named() -> None:
    daily, weekly = make_rule(name="daily"), make_rule(name="weekly", unit="week")
    sends = [make_send("2025-06-11T11:00Z")]
    expected = CapHit(weekly, Reason.CAPPED, at("2025-06-18T11:00Z"))
    assert check([daily, weekly], sends) == expected
    assert check([weekly, daily], sends) == expected


@pytest.mark.parametrize(
    ("_case", "rule", "send", "capped"),
    [
        ("same channel", {"channel": "push"}, {}, True),
        ("rule of another channel", {"channel": "email"}, {}, False),
        ("any channel counts all", {}, {"channel": "email"}, True),
        ("a channel counts its own", {"channel": "push"}, {"channel": "email"}, False),
        ("same topic", {"topic_id": 1}, {}, True),
        ("rule of another topic", {"topic_id": 2}, {"topic_id": 2}, False),
        ("a topic counts its own", {"topic_id": 1}, {"topic_id": 2}, False),
        ("a topic counts none without", {"topic_id": 1}, {"topic_id": None}, False),
        ("same tag", {"tag": "promo"}, {"tags": frozenset({"promo", "x"})}, True),
        ("a tag counts its own", {"tag": "promo"}, {"tags": frozenset({"x"})}, False),
        ("rule of another tag", {"tag": "x"}, {"tags": frozenset({"x"})}, False),
        ("one that does not count", {}, {"counts": False}, False),
    ],
)
def test_rule_applies_to_its_own(
    _case: str, rule: dict[str, Any], send: dict[str, Any], capped: bool
) -> None:
    hit = check(
        [make_rule(**rule)], [make_send(NOW, **send)], tags=frozenset({"promo"})
    )
    assert (hit is not None) == capped


@pytest.mark.parametrize(
    ("_case", "rule", "send", "run_id", "cooling"),
    [
        ("another campaign", {}, {}, None, True),
        ("a campaign after a journey", {}, {"run_id": "run"}, None, True),
        ("a step after a campaign", {}, {}, "run", True),
        ("steps of one run", {}, {"run_id": "run"}, "run", False),
        ("steps of two runs", {}, {"run_id": "other"}, "run", True),
        ("another channel", {}, {"channel": "email"}, None, False),
        ("rule of another channel", {"channel": "email"}, {}, None, False),
        ("limit says nothing", {"limit": 0}, {}, None, True),
        ("none is no limit either", {"limit": None}, {}, None, True),
        ("one that does not count", {}, {"counts": False}, None, False),
    ],
)
def test_cooldown(
    _case: str,
    rule: dict[str, Any],
    send: dict[str, Any],
    run_id: str | None,
    cooling: bool,
) -> None:
    cooldown = make_rule(kind="cooldown", unit="hour", n=4, **rule)
    hit = check([cooldown], [make_send(NOW, **send)], run_id=run_id)
    until = NOW + timedelta(hours=4)
    assert hit == (CapHit(cooldown, Reason.COOLDOWN, until) if cooling else None)
    # Whether it cooled or not, four hours later it does not.
    assert check([cooldown], [make_send(NOW, **send)], run_id=run_id, at=until) is None


def test_steps_of_a_run_count_in_caps_like_others() -> None:
    hit = check([make_rule()], [make_send(NOW, run_id="run")], run_id="run")
    assert hit is not None
    assert hit.reason is Reason.CAPPED


@pytest.mark.parametrize(
    "wrong", [{"kind": "weekly"}, {"unit": "year"}, {"n": 0}, {"limit": -1}]
)
def test_impossible_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|a cap"):
        make_rule(**wrong)


RULES = st.lists(
    st.builds(
        CapRule,
        name=st.just("rule"),
        kind=st.sampled_from(["rolling", "calendar", "cooldown"]),
        limit=st.integers(1, 4),
        unit=st.sampled_from(["hour", "day", "week"]),
        n=st.integers(1, 3),
        channel=st.sampled_from(["", "push"]),
    ),
    min_size=1,
    max_size=4,
)
# Minutes from one attempt to the next.
PAUSES = st.lists(st.integers(0, 1500), min_size=5, max_size=40)
STARTS = st.datetimes(
    datetime(2025, 1, 1), datetime(2025, 12, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip


def count_period(rule: CapRule, when: datetime, zone: ZoneInfo) -> int:
    """A running number of the calendar period that an instant is in."""
    wall = to_wall(when, zone)
    if rule.unit == "day":
        return wall.toordinal()
    if rule.unit == "week":
        return (wall.toordinal() - 1) // 7
    # An hour of the clock has its minutes in one hour of UTC, shifted.
    shift = timedelta(minutes=when.minute - wall.minute)
    return int((when - shift).timestamp()) // 3600


def check_never_exceeded(
    rule: CapRule, sends: Sequence[PastSend], zone: ZoneInfo
) -> None:
    """The definition itself: look at every window that ends with a message."""
    limit = 1 if rule.kind == "cooldown" else rule.limit
    assert limit is not None
    for last in sends:
        if rule.kind == "calendar":
            period = count_period(rule, last.at, zone)
            periods = [count_period(rule, send.at, zone) for send in sends]
            inside = [p for p in periods if period - rule.n < p <= period]
        else:
            opens_at = last.at - rule.n * UNIT_LENGTHS[rule.unit]
            inside = [1 for send in sends if opens_at < send.at <= last.at]
        assert len(inside) <= limit


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rules=RULES, pauses=PAUSES, start=STARTS, name=st.sampled_from(SAMPLE_ZONES[:5]))
def test_greedy_sender_never_exceeds_any_cap(
    rules: list[CapRule], pauses: list[int], start: datetime, name: str
) -> None:
    zone, now, sends = ZoneInfo(name), start, list[PastSend]()
    for pause in pauses:
        now += timedelta(minutes=pause)
        if check(rules, sends, at=now, zone=zone) is None:
            sends.append(make_send(now))
    assert sends
    for rule in rules:
        check_never_exceeded(rule, sends, zone)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rules=RULES, pauses=PAUSES, start=STARTS, name=st.sampled_from(SAMPLE_ZONES[:5]))
def test_free_at_is_the_earliest_legal_moment(
    rules: list[CapRule], pauses: list[int], start: datetime, name: str
) -> None:
    zone, now, sends = ZoneInfo(name), start, list[PastSend]()
    for pause in pauses:
        now += timedelta(minutes=pause)
        sends.append(make_send(now))
    hit = check(rules, sends, at=now, zone=zone)
    assume(hit is not None)
    assert hit is not None
    assert hit.free_at is not None
    assert hit.free_at > now
    assert check(rules, sends, at=hit.free_at, zone=zone) is None
    wait = hit.free_at - now
    for share in (0, 0.1, 0.5, 0.9):
        assert check(rules, sends, at=now + wait * share, zone=zone) is not None
    moment = timedelta(microseconds=1)
    assert check(rules, sends, at=hit.free_at - moment, zone=zone) is not None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rules=RULES, pauses=PAUSES, start=STARTS, name=st.sampled_from(SAMPLE_ZONES))
def test_sends_beyond_the_horizon_change_nothing(
    rules: list[CapRule], pauses: list[int], start: datetime, name: str
) -> None:
    zone, now, sends = ZoneInfo(name), start, list[PastSend]()
    for pause in pauses:
        now += timedelta(minutes=pause)
        sends.append(make_send(now))
    horizon = find_horizon(rules, at=now)
    young = [send for send in sends if send.at > horizon]
    assert check(rules, young, at=now, zone=zone) == check(
        rules, sends, at=now, zone=zone
    )


def test_horizon_is_the_longest_window_and_for_calendars_no_shorter() -> None:
    rolling, calendar = make_rule(n=3), make_rule(kind="calendar", unit="month")
    assert find_horizon([rolling], at=NOW) == NOW - timedelta(days=3)
    assert find_horizon([rolling, calendar], at=NOW) == NOW - timedelta(days=32)


def test_horizon_without_rules_is_now() -> None:
    assert find_horizon([], at=NOW) == NOW
