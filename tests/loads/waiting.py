"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.1


def wait_until(condition: Callable[[], object], *, timeout_s: float) -> float:
    """Seconds that it took; AssertionError where it does not come true."""
    begun_at = time.monotonic()
    while not condition():
        assert time.monotonic() < begun_at + timeout_s, "waited in vain"
        time.sleep(POLL_S)
    return time.monotonic() - begun_at
