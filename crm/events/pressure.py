"""Back-pressure: what is turned away while more came in than can be worked on.

Opt-outs and purchases always pass: `is_exempt` is the whole list. Measured at most once
a second in each process.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from crm.events.commerce import NAMES_OF_OLD
from crm.events.envelope import Rejection
from crm.events.schema import Item
from crm.ports.effects import SUPPRESSED, UNSUPPRESSED

# Events and traits by which a person stops or allows messages (a test holds them
# against what `preferences` listens to).
CHOICE_NAMES = frozenset(
    {
        "unsubscribed",
        "Unsubscribed",
        "cio_subscription_preferences",
        SUPPRESSED,
        UNSUPPRESSED,
    }
)
CHOICE_TRAITS = frozenset({"unsubscribed", "cio_subscription_preferences"})
# Without them a reminder would go to somebody who has bought.
PURCHASE_NAMES = frozenset({"Order Completed", "Order Cancelled", "Order Refunded"})
REVENUE_KEY = "revenue"

MEASURED_S = 1.0
BACKLOG_WAIT_S = 15
DISK_WAIT_S = 60
MEGABYTE = 1_000_000
# Ids are given out in order: their span is a first guess, by two look-ups in an index.
SPAN = """
SELECT coalesce(
    (SELECT id FROM crm_pendingevent WHERE quarantined_at IS NULL
        ORDER BY id DESC LIMIT 1)
    - (SELECT id FROM crm_pendingevent WHERE quarantined_at IS NULL
        ORDER BY id LIMIT 1) + 1, 0)
"""
COUNT = """
SELECT count(*) FROM (
    SELECT FROM crm_pendingevent WHERE quarantined_at IS NULL LIMIT %s) AS waiting
"""


@dataclass(frozen=True, slots=True)
class Overload:
    """Why a call is turned away, and in how many whole seconds to come again."""

    code: str
    message: str
    wait_s: int


def is_exempt(item: Item) -> bool:
    """Choices about messages, and purchases: never turned away."""
    return is_choice(item) or is_purchase(item)


def is_choice(item: Item) -> bool:
    return item.name in CHOICE_NAMES or not CHOICE_TRAITS.isdisjoint(item.traits)


def is_purchase(item: Item) -> bool:
    name = NAMES_OF_OLD.get(item.name, item.name)
    is_named = name in PURCHASE_NAMES
    return is_named or bool(name and item.properties.get(REVENUE_KEY) is not None)


def split_items(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """(taken, turned away) of a batch under pressure.

    Whoever sends a batch will send all of it again: beside items that are turned
    away, a purchase is taken only where its message id keeps it from counting twice.
    """
    exempt = [item for item in items if is_exempt(item)]
    if len(exempt) == len(items):
        return exempt, []
    taken = [item for item in exempt if item.message_id or is_choice(item)]
    chosen = {item.index for item in taken}
    return taken, [item for item in items if item.index not in chosen]


def turn_away(items: Sequence[Item], overload: Overload) -> list[Rejection]:
    return [
        Rejection(item.index, "", overload.code, overload.message) for item in items
    ]


_lock = threading.Lock()
_measured: tuple[float, Overload | None] = (0.0, None)


def read_pressure() -> Overload | None:
    """The state as measured at most a second ago; one thread at a time measures."""
    global _measured
    now = time.monotonic()
    if now < _measured[0] or not _lock.acquire(blocking=False):
        return _measured[1]
    try:
        found = measure_backlog() or measure_disk()
        _measured = (time.monotonic() + MEASURED_S, found)
    finally:
        _lock.release()
    return found


def forget_pressure() -> None:
    """For tests: measure again."""
    global _measured
    _measured = (0.0, None)


def measure_backlog() -> Overload | None:
    most = settings.INGEST_BACKLOG_MAX
    with connection.cursor() as cursor:
        cursor.execute(SPAN)
        if cursor.fetchone()[0] <= most:
            return None
        cursor.execute(COUNT, [most + 1])
        if cursor.fetchone()[0] <= most:
            return None
    message = f"More than {most} events wait to be worked on; try again later."
    return Overload("over_capacity", message, BACKLOG_WAIT_S)


def measure_disk() -> Overload | None:
    """Of the embedded database alone: where another one lies can not be known."""
    cluster = settings.EMBEDDED_CLUSTER
    if cluster is None:
        return None
    try:
        disk = os.statvfs(cluster.base)
    except OSError:
        return None
    if disk.f_bavail * disk.f_frsize >= settings.DISK_MIN_FREE_MB * MEGABYTE:
        return None
    return Overload("disk_full", "The disk is nearly full.", DISK_WAIT_S)
