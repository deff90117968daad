"""Rate limits per key and per address, shared by all web processes.

A process leases half a second of a limit from the shared row at a time, and counts
that down in memory: a busy key costs two short statements a second, whatever it sends.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings

from crm.events.pressure import Overload
from crm.models import ApiKey, RateBucket

# A lease is this much of a second's rate, and ends after LEASE_ENDS_S.
LEASE_SHARE = 0.5
LEASE_ENDS_S = 1.0
# Who was refused is refused so long without asking the shared row.
REFUSED_S = 0.2
MAX_ALLOWANCES = 10_000

Lease = Callable[[float], float]


@dataclass(slots=True)
class Allowance:
    """What one process may still let through of one limit. Times are monotonic."""

    tokens: float = 0.0
    ends_at: float = 0.0
    refused_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, lease: Lease, *, rate_per_s: int, now: float) -> bool:
        """Whether one more may pass; `lease(wanted)` asks the shared row."""
        with self.lock:
            if now >= self.ends_at:
                self.tokens = 0.0
            if self.tokens < 1 and now >= self.refused_until:
                self.tokens += lease(max(1.0, rate_per_s * LEASE_SHARE))
                self.ends_at = now + LEASE_ENDS_S
            if self.tokens < 1:
                self.refused_until = max(self.refused_until, now + REFUSED_S)
                return False
            self.tokens -= 1
            return True


_allowances: dict[str, Allowance] = {}


def spend_one(name: str, *, rate_per_s: int) -> Overload | None:
    """Count one call of `name`; what to answer where it is one too many."""
    allowance = _allowances.get(name)
    if allowance is None:
        if len(_allowances) >= MAX_ALLOWANCES:
            _allowances.clear()
        allowance = _allowances.setdefault(name, Allowance())
    lease = partial(lease_tokens, name, rate_per_s)
    if allowance.spend(lease, rate_per_s=rate_per_s, now=time.monotonic()):
        return None
    message = f"More than {rate_per_s} calls a second; try again shortly."
    return Overload("rate_limited", message, max(1, math.ceil(1 / rate_per_s)))


def lease_tokens(name: str, rate_per_s: int, wanted: float) -> float:
    return RateBucket.objects.lease(name, rate_per_s=rate_per_s, wanted=wanted)


def forget_allowances() -> None:
    """For tests: ask the shared rows again."""
    _allowances.clear()


def limit_ingest(key: ApiKey) -> Overload | None:
    return spend_one(f"ingest:{key.pk}", rate_per_s=settings.RATE_INGEST_PER_S)


def limit_api(caller: str) -> Overload | None:
    """`caller`: `key:<id>` or `staff:<id>`."""
    return spend_one(f"api:{caller}", rate_per_s=settings.RATE_API_PER_S)


def limit_stranger(address: str) -> Overload | None:
    """Calls without a key that is known; the address is kept as a hash alone."""
    salted = f"{settings.SECRET_KEY}:{address}".encode()
    name = f"address:{hashlib.sha256(salted).hexdigest()[:32]}"
    return spend_one(name, rate_per_s=settings.RATE_STRANGER_PER_S)
