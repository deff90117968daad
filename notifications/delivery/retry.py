"""What follows one POST: the retry policy, as a function of its outcome.

| Outcome | Promotional | Transactional |
| --- | --- | --- |
| sent | sent | sent |
| dead_address | next device at once, else failed | the same |
| not_sent | pending, no attempt spent | the same |
| config | pending, no attempt spent | the same |
| not_accepted | 1 retry, then failed | 4 retries, then failed |
| rejected | failed | failed |
| ambiguous | unknown: at most once | 2 resends, then unknown |

Nothing waits beyond its expiry: the row ends at once, with the reason that tells staff
most. A row of which an earlier POST may have arrived never ends as failed or expired,
but as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from crm.buckets import hash_fnv1a
from notifications.channels.base import Outcome
from notifications.reasons import Reason

State = Literal["sent", "failed", "unknown", "pending", "expired"]

# Retries after a provider's own "no" (5xx with its error body).
REFUSED_RETRIES_MAX: Final = {
    "promotional": 1,
    "transactional": 4,
}
# Resends after silence; the device replaces the visible copy by its tag.
AMBIGUOUS_RESENDS_MAX: Final = {
    "promotional": 0,
    "transactional": 2,
}

BACKOFF_FIRST_S: Final = 10.0
# Doubling stops here, so that a provider that comes back is noticed soon.
BACKOFF_MAX_S: Final = 600.0
RETRY_AFTER_MIN_S: Final = 1.0
# A wrong key is corrected by staff: look again about once a minute.
CONFIG_RECHECK_S: Final = 60.0
# Waits are stretched by up to this share: what failed together comes back apart.
JITTER_PCT: Final = 50


@dataclass(frozen=True, slots=True)
class Next:
    """The delivery's next state; `due_at` is set exactly where it is pending."""

    state: State
    reason: Reason | None = None
    due_at: datetime | None = None
    # False where the POST provably reached nobody and spends nothing.
    counts_as_attempt: bool = True


def make_spread(key: str) -> float:
    """A stable number in [0, 1) for jitter: the same key, the same number."""
    return hash_fnv1a(str(hash_fnv1a(key))) / 2**32


def plan_next(
    outcome: Outcome,
    *,
    purpose: str,
    attempts_made: int,
    retry_after_s: float | None,
    now: datetime,
    expires_at: datetime,
    spread: float,
    has_other_address: bool = False,
    free_tries: int = 0,
    maybe_sent: bool = False,
) -> Next:
    """What a delivery becomes after one POST with this outcome.

    `attempts_made` counts attempts that spend (`counts_as_attempt`) including this
    one, if it does; `free_tries` those before it that spent nothing, in a row;
    `maybe_sent` says that an earlier POST of this row ended ambiguous. A lost lease
    of a `sending` row is an ambiguous outcome.
    """
    plan = _Plan(now, expires_at, spread, maybe_sent)
    match outcome:
        case Outcome.SENT:
            return Next("sent")
        case Outcome.REJECTED:
            return plan.end("failed", Reason.PROVIDER_REFUSED)
        case Outcome.DEAD_ADDRESS:
            if not has_other_address:
                return plan.end("failed", Reason.DEAD_ADDRESS)
            return plan.wait(0.0, spends=False, late="expired")
        case Outcome.NOT_SENT:
            wait_s = _find_wait_s(free_tries, retry_after_s)
            return plan.wait(wait_s, spends=False, late="expired")
        case Outcome.CONFIG:
            wait_s = max(CONFIG_RECHECK_S, retry_after_s or 0.0)
            return plan.wait(
                wait_s, spends=False, late="failed", reason=Reason.PROVIDER_CONFIG
            )
        case Outcome.NOT_ACCEPTED:
            reason = Reason.PROVIDER_REFUSED
            if attempts_made > REFUSED_RETRIES_MAX[purpose]:
                return plan.end("failed", reason)
            wait_s = max(_back_off_s(attempts_made - 1), retry_after_s or 0.0)
            return plan.wait(wait_s, spends=True, late="failed", reason=reason)
        case Outcome.AMBIGUOUS:
            if attempts_made > AMBIGUOUS_RESENDS_MAX[purpose]:
                return Next("unknown")
            wait_s = max(_back_off_s(attempts_made - 1), retry_after_s or 0.0)
            return plan.wait(wait_s, spends=True, late="unknown")


@dataclass(frozen=True, slots=True)
class _Plan:
    now: datetime
    expires_at: datetime
    spread: float
    maybe_sent: bool

    def end(self, state: State, reason: Reason | None, *, spends: bool = True) -> Next:
        if self.maybe_sent:
            return Next("unknown", counts_as_attempt=spends)
        return Next(
            state, reason if state == "failed" else None, counts_as_attempt=spends
        )

    def wait(
        self, wait_s: float, *, spends: bool, late: State, reason: Reason | None = None
    ) -> Next:
        """Pending after the wait and its jitter; `late` where that is past expiry."""
        left_s = (self.expires_at - self.now).total_seconds()
        wait_s *= 1 + self.spread * JITTER_PCT / 100
        # Compared as numbers first: a provider may ask for more than a date can hold.
        if wait_s >= left_s:
            return self.end(late, reason, spends=spends)
        due_at = self.now + timedelta(seconds=wait_s)
        return Next("pending", reason, due_at, counts_as_attempt=spends)


def _find_wait_s(free_tries: int, retry_after_s: float | None) -> float:
    if retry_after_s is not None:
        return max(RETRY_AFTER_MIN_S, retry_after_s)
    return _back_off_s(free_tries)


def _back_off_s(tries_before: int) -> float:
    # The exponent is bounded too: 2.0 ** 2000 raises.
    return min(BACKOFF_FIRST_S * 2.0 ** min(max(tries_before, 0), 20), BACKOFF_MAX_S)
