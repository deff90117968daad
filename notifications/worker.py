"""The sweeper: threads in each Celery worker's parent process.

One gives back what dead workers held, one rings for due work that nobody rang for,
every few seconds, each with a database connection of its own. Neither is a task: a
sweep must not wait behind the work it would free, nor for a broker that hangs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg
from celery import bootsteps
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError

from crm.bell import ring
from notifications.delivery.expire import expire_overdue
from notifications.delivery.sweep import sweep_leases

logger = logging.getLogger(__name__)

# What a database or a broker that is away, slow or coming back may raise, but for the
# broker's own client. The next round asks again; a thread that died of it would be
# missed by nobody.
FAULTS = (OperationalError, InterfaceError, psycopg.Error, BrokerError, OSError)

# Work that time made due, or whose doorbell was lost: the task, and the question
# whether it has anything to do now. Deliveries are asked for by sender and priority,
# as the claim does, so that a million of them due tomorrow are not looked through.
WORK = {
    "notifications.tasks.process_events": """
        SELECT FROM crm_pendingevent WHERE quarantined_at IS NULL
          AND (lease_until IS NULL OR lease_until < clock_timestamp())""",
    "notifications.tasks.send_deliveries": """
        WITH RECURSIVE levels AS (
            SELECT s.id AS sender_id, (
                SELECT max(d.priority) FROM notifications_delivery d
                WHERE d.state = 'pending' AND d.sender_id = s.id) AS priority
            FROM notifications_sender s WHERE s.paused_at IS NULL
            UNION ALL
            SELECT sender_id, (
                SELECT max(d.priority) FROM notifications_delivery d
                WHERE d.state = 'pending' AND d.sender_id = levels.sender_id
                  AND d.priority < levels.priority)
            FROM levels WHERE priority IS NOT NULL)
        SELECT FROM levels WHERE clock_timestamp() >= (
            SELECT min(d.due_at) FROM notifications_delivery d
            WHERE d.state = 'pending' AND d.sender_id = levels.sender_id
              AND d.priority = levels.priority)""",
    "segments.tasks.expire_memberships": """
        SELECT FROM segments_contactclock
        WHERE next_change_at <= (SELECT clock_timestamp())
        UNION ALL SELECT FROM crm_computedclock
        WHERE next_change_at <= (SELECT clock_timestamp())
        UNION ALL SELECT FROM segments_stageclock
        WHERE next_change_at <= (SELECT clock_timestamp())""",
    "segments.tasks.refresh_segments": """
        SELECT FROM segments_segment WHERE state = 'building'""",
    "segments.tasks.build_traits": """
        SELECT FROM crm_computedtrait
        WHERE state IN ('building', 'clearing', 'leaving')
        UNION ALL SELECT FROM segments_lifecycle l WHERE l.built_at IS NULL
          AND l.number = (SELECT max(number) FROM segments_lifecycle)""",
}
FIND_UNRUNG = "SELECT " + ", ".join(f"EXISTS ({sql})" for sql in WORK.values())


class Rounds(threading.Thread):
    """Does the same again and again until told to stop, whatever is away."""

    def __init__(
        self,
        name: str,
        walk: Callable[[], None],
        *,
        every_s: float,
        faults: tuple[type[Exception], ...] = (),
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._faults: tuple[type[Exception], ...] = (*FAULTS, *faults)
        self._walk = walk
        self._every_s = every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._walk()
            except self._faults:
                logger.warning(
                    "The %s could not do its round.", self.name, exc_info=True
                )
                connection.close()

    def stop(self) -> None:
        self._stopping.set()


def sweep_once() -> None:
    swept = sweep_leases()
    if swept.returned or swept.unknown:
        logger.warning(
            "Gave back %s claimed rows, settled %s sends of dead workers.",
            swept.returned,
            swept.unknown,
        )
    expire_overdue()


def ring_for_work() -> None:
    for name in find_unrung():
        ring(name)


def find_unrung() -> list[str]:
    """Names of tasks that have something to do now."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_UNRUNG)
        return [name for name, due in zip(WORK, cursor.fetchone(), strict=True) if due]


class SweepStep(bootsteps.StartStopStep):
    """Starts the rounds with the worker and stops them with it."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._rounds: list[Rounds] = []

    def start(self, worker: Any) -> None:
        every_s = settings.DELIVERY_SWEEP_S
        broker = worker.app.connection_for_write()
        self._rounds = [
            Rounds("sweeper", sweep_once, every_s=every_s),
            Rounds(
                "ringer",
                ring_for_work,
                every_s=every_s,
                # An open connection that breaks raises its client's own errors.
                faults=(*broker.connection_errors, *broker.channel_errors),
            ),
        ]
        for rounds in self._rounds:
            rounds.start()

    def stop(self, worker: Any) -> None:
        for rounds in self._rounds:
            rounds.stop()
