"""Facts about one person and one message, the answers, and the truths that end it.

Facts are gathered before; nothing here asks, so everything here can be tested by table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from notifications.decisioning.frequency import CapRule, PastSend
from notifications.decisioning.quiet_hours import QuietWindow
from notifications.reasons import Reason

# Why an address cannot be reached; any other word but 'ok' is a programming error.
ADDRESS_FAULTS: Final = {
    "none": Reason.NO_ADDRESS,
    "denied": Reason.PERMISSION_DENIED,
    "dead": Reason.DEAD_ADDRESS,
}


@dataclass(frozen=True, slots=True)
class Send:
    """Now, to this person."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now: decide again at `until`, never later than the expiry.

    A reason of None is no obstacle, only pace: the message waits its turn.
    """

    until: datetime
    reason: Reason | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """Never: this person may not or cannot have it."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Never: what the message is about has ended, for them or for all."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Expire:
    """Never: its time is over."""


Decision = Send | Defer | Skip | Cancel | Expire


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known about one delivery at `now`, the database's own time.

    No defaults: a fact that was forgotten must not read as permission.
    """

    now: datetime
    expires_at: datetime
    erased: bool
    merged: bool
    # 'paused' waits, 'cancelled' ends; any other goes on: a 'finished' campaign
    # plans nothing more, but what it planned may still go out until it expires.
    source_state: str
    # The kill switch that is off, '' where all are on.
    switch_off: str
    permission_allowed: bool
    permission_reason: Reason | str | None
    permission_detail: str
    # 'ok' or a key of ADDRESS_FAULTS.
    address: str
    # 'promotional' or 'transactional'.
    purpose: str
    exit_reason: Reason | None
    exit_detail: str
    # None where the message does not ask again.
    in_audience: bool | None
    minor_blocked: bool
    quiet_windows: tuple[QuietWindow, ...]
    # 'hold' or 'drop'.
    quiet_policy: str
    zone: ZoneInfo
    caps: tuple[CapRule, ...]
    sends: tuple[PastSend, ...]
    # 'drop' or 'retry'.
    on_cap: str
    # Waiting for a cap ends here; None: at the expiry.
    retry_until: datetime | None
    channel: str
    topic_id: int | None
    run_id: str | None
    exempt_caps: bool
    exempt_quiet: bool
    # When the rate limit has room; None where it has room now.
    rate_free_at: datetime | None
    tags: frozenset[str] = frozenset()


def find_ending(facts: Facts) -> Skip | Cancel | Expire | None:
    """The truth that ends this message for good; None if nothing does.

    The first that holds is the one staff read, so they run from what explains most
    to what explains least: the person is gone; the message is stopped or stale; they
    no longer need it; they may not have it; it cannot reach them.
    """
    # A merged profile may look reachable and willing: nothing after this is about it.
    if facts.erased:
        return Cancel(Reason.PROFILE_ERASED)
    if facts.merged:
        return Cancel(Reason.MERGED)
    if facts.source_state == "cancelled":
        return Cancel(Reason.PAUSED, "cancelled by staff")
    if facts.now >= facts.expires_at:
        return Expire()
    # Before consent: "they bought it" is good news that consent would hide.
    if facts.exit_reason is not None:
        return Cancel(facts.exit_reason, facts.exit_detail)
    if facts.in_audience is False:
        return Cancel(Reason.LEFT_AUDIENCE)
    if facts.minor_blocked:
        return Skip(Reason.MINOR)
    if not facts.permission_allowed:
        reason = Reason(facts.permission_reason or Reason.NO_CONSENT)
        return Skip(reason, facts.permission_detail)
    # After consent: who said no is not asked to install the app.
    if facts.address != "ok":
        return Skip(ADDRESS_FAULTS[facts.address])
    return None
