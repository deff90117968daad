"""Frequency caps and cooldowns: how much one person gets.

All rules apply together. Each past message weighs on a rule until a certain instant:
on a rolling rule until the whole window has gone by, to the second; on a calendar rule
until the clock of the person's zone opens a later hour, day, week (Monday) or month.
A rule refuses while as many messages weigh on it as its limit allows, so the instant
at which it admits again is when the limit-th youngest stops weighing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from notifications.decisioning.zones import to_instant, to_wall
from notifications.reasons import Reason

KINDS: Final = frozenset({"rolling", "calendar", "cooldown"})
# Elapsed time of a unit on rolling rules and cooldowns; a rolling month is 30 days.
UNIT_LENGTHS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass(frozen=True, slots=True)
class CapRule:
    """At most `limit` messages in `n` units; a cooldown is one message in them.

    Empty `channel` and `tag` and a `topic_id` of None mean any. A limit of 0 allows
    nothing, None everything. A cooldown looks only at the channel of the new message
    and ignores `limit`.
    """

    name: str
    kind: str
    limit: int | None
    unit: str
    n: int = 1
    channel: str = ""
    topic_id: int | None = None
    tag: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}")
        if self.unit not in UNIT_LENGTHS:
            raise ValueError(f"unknown unit {self.unit!r}")
        if self.n < 1:
            raise ValueError("a cap covers one unit of time or more")
        if self.limit is not None and self.limit < 0:
            raise ValueError("a cap is 0 or more")


@dataclass(frozen=True, slots=True)
class PastSend:
    """One message that the person had, or may have had, dated by its gate.

    One that does not count (exempt and uncounted) weighs on no rule.
    """

    at: datetime
    channel: str
    topic_id: int | None
    run_id: str | None = None
    counts: bool = True
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CapHit:
    """The rule that refuses longest, and when all of them admit (None: never)."""

    rule: CapRule
    reason: Reason
    free_at: datetime | None


def check_caps(
    rules: Sequence[CapRule],
    sends: Sequence[PastSend],
    *,
    at: datetime,
    zone: ZoneInfo,
    channel: str,
    topic_id: int | None,
    run_id: str | None = None,
    tags: frozenset[str] = frozenset(),
) -> CapHit | None:
    """None if one more message is allowed at `at`; else why not, and until when.

    Sends dated ahead of `at` (another machine's clock) weigh too. The caller passes
    every send young enough to weigh on any rule: see `find_horizon`.
    """
    hit: CapHit | None = None
    for rule in rules:
        if not _covers(rule, channel, topic_id, tags):
            continue
        if rule.limit == 0 and rule.kind != "cooldown":
            return CapHit(rule, Reason.CAPPED, None)
        weighing = _pick_weighing(rule, sends, channel=channel, run_id=run_id)
        free_at = _find_free_at(rule, weighing, zone=zone)
        if free_at is None or free_at <= at:
            continue
        if hit is None or hit.free_at is None or free_at > hit.free_at:
            cooling = rule.kind == "cooldown"
            reason = Reason.COOLDOWN if cooling else Reason.CAPPED
            hit = CapHit(rule, reason, free_at)
    return hit


def find_horizon(rules: Iterable[CapRule], *, at: datetime) -> datetime:
    """Sends older than this weigh on none of the rules, in any zone.

    For the query that gathers them. Calendar months have up to 31 days, and a day
    more covers clocks that were set back.
    """
    spans = [
        rule.n * UNIT_LENGTHS[rule.unit]
        if rule.kind != "calendar"
        else rule.n * (UNIT_LENGTHS[rule.unit] + timedelta(days=1)) + timedelta(days=1)
        for rule in rules
    ]
    return at - max(spans, default=timedelta(0))


def _covers(
    rule: CapRule, channel: str, topic_id: int | None, tags: frozenset[str]
) -> bool:
    return (
        rule.channel in ("", channel)
        and (rule.topic_id is None or rule.topic_id == topic_id)
        and (not rule.tag or rule.tag in tags)
    )


def _pick_weighing(
    rule: CapRule, sends: Iterable[PastSend], *, channel: str, run_id: str | None
) -> Iterator[PastSend]:
    for send in sends:
        if not send.counts:
            continue
        if not _covers(rule, send.channel, send.topic_id, send.tags):
            continue
        if rule.kind == "cooldown":
            same_run = run_id is not None and send.run_id == run_id
            if same_run or send.channel != channel:
                continue
        yield send


def _find_free_at(
    rule: CapRule, sends: Iterable[PastSend], *, zone: ZoneInfo
) -> datetime | None:
    """When fewer than the limit weigh on the rule; None if it never refuses."""
    limit = 1 if rule.kind == "cooldown" else rule.limit
    if limit is None:
        return None
    moments = sorted(send.at for send in sends)
    if len(moments) < limit:
        return None
    # What was sent later weighs longer, so the limit-th youngest says it all.
    return _find_weight_end(rule, moments[-limit], zone)


def _find_weight_end(rule: CapRule, sent_at: datetime, zone: ZoneInfo) -> datetime:
    sent_at = sent_at.astimezone(UTC)
    if rule.kind != "calendar":
        return sent_at + rule.n * UNIT_LENGTHS[rule.unit]
    wall = to_wall(sent_at, zone)
    if rule.unit == "hour":
        into_hour = timedelta(
            minutes=wall.minute, seconds=wall.second, microseconds=wall.microsecond
        )
        return sent_at - into_hour + timedelta(hours=rule.n)
    opens_on = _shift_period(wall.date(), rule.unit, rule.n)
    return to_instant(datetime.combine(opens_on, time.min), zone)


def _shift_period(day: date, unit: str, n: int) -> date:
    """The first day of the n-th period after the one that `day` is in."""
    if unit == "day":
        return day + timedelta(days=n)
    if unit == "week":
        return day - timedelta(days=day.weekday()) + timedelta(weeks=n)
    years, month0 = divmod(day.month - 1 + n, 12)
    return date(day.year + years, month0 + 1, 1)
