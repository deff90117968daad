"""May this message go to this person now? One pure answer with its reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from notifications.decisioning.eligibility import (
    Cancel,
    Decision,
    Defer,
    Expire,
    Facts,
    Send,
    Skip,
    find_ending,
)
from notifications.decisioning.frequency import check_caps
from notifications.decisioning.quiet_hours import find_quiet_end
from notifications.reasons import Reason

__all__ = [
    "Cancel",
    "Decision",
    "Defer",
    "Expire",
    "Facts",
    "Send",
    "Skip",
    "decide",
]

# Nobody knows when staff resume: look again after this, and at the expiry.
STOP_RECHECK_S: Final = 60


def decide(facts: Facts) -> Decision:
    """Send, Defer(until, reason), Skip(reason), Cancel(reason) or Expire.

    1. What ends the message for good (`find_ending`). First, so that nobody waits
       for a message that will never leave, and a goal reached during a pause shows.
    2. What staff stopped: pause, kill switch. Before the clock and the counts, which
       will have changed when they resume. Waits at most until the expiry.
    3. Quiet hours. Before caps: a cap is asked about the moment of sending, and that
       is the morning. A hold that would outlive the message skips it now, as
       quiet_hours, because that is what staff can change.
    4. Caps and cooldown, dropped or retried by the message's own policy; a wait
       beyond `retry_until` or the expiry skips it now, with the cap as reason.
    5. Pace. Last, because it takes a place in the line from others.

    Transactional messages know no quiet hours and no caps.
    """
    return (
        find_ending(facts)
        or _check_stops(facts)
        or _check_quiet_hours(facts)
        or _check_frequency(facts)
        or _check_pace(facts)
        or Send()
    )


def _check_stops(facts: Facts) -> Defer | None:
    if facts.switch_off:
        reason, detail = Reason.SWITCH_OFF, facts.switch_off
    elif facts.source_state == "paused":
        reason, detail = Reason.PAUSED, ""
    else:
        return None
    until = facts.now + timedelta(seconds=STOP_RECHECK_S)
    return Defer(min(until, facts.expires_at), reason, detail)


def _check_quiet_hours(facts: Facts) -> Defer | Skip | None:
    if facts.purpose == "transactional" or facts.exempt_quiet:
        return None
    until = find_quiet_end(facts.now, facts.zone, facts.quiet_windows)
    if until is None:
        return None
    where = f"quiet until {_show_wall(until, facts)}"
    if facts.quiet_policy == "drop":
        return Skip(Reason.QUIET_HOURS, where)
    if until >= facts.expires_at:
        return Skip(Reason.QUIET_HOURS, f"{where}, after its expiry")
    return Defer(until, Reason.QUIET_HOURS, where)


def _check_frequency(facts: Facts) -> Defer | Skip | None:
    if facts.purpose == "transactional" or facts.exempt_caps:
        return None
    hit = check_caps(
        facts.caps,
        facts.sends,
        at=facts.now,
        zone=facts.zone,
        channel=facts.channel,
        topic_id=facts.topic_id,
        run_id=facts.run_id,
        tags=facts.tags,
    )
    if hit is None:
        return None
    if hit.free_at is None:
        return Skip(hit.reason, f"{hit.rule.name}: nothing allowed")
    detail = f"{hit.rule.name}: free from {_show_wall(hit.free_at, facts)}"
    # The expiry is half-open, a retry may still happen at its very end.
    too_late = hit.free_at >= facts.expires_at or (
        facts.retry_until is not None and hit.free_at > facts.retry_until
    )
    if facts.on_cap == "drop" or too_late:
        return Skip(hit.reason, detail)
    return Defer(hit.free_at, hit.reason, detail)


def _check_pace(facts: Facts) -> Defer | None:
    if facts.rate_free_at is None or facts.rate_free_at <= facts.now:
        return None
    return Defer(min(facts.rate_free_at, facts.expires_at), None)


def _show_wall(at: datetime, facts: Facts) -> str:
    return f"{at.astimezone(facts.zone):%Y-%m-%d %H:%M} {facts.zone.key}"
