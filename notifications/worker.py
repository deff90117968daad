"""The sweeper: a thread in each Celery worker's parent process.

It gives back what dead workers held and rings for due work that nobody rang for,
every few seconds, with a database connection of its own. It is no task: a sweep
must not wait behind the work it would free.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import bootsteps
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from notifications.delivery.sweep import sweep_leases

logger = logging.getLogger(__name__)

# Rows whose doorbell was lost: committed, but nobody was told.
FIND_DUE = """
SELECT EXISTS (SELECT FROM crm_pendingevent WHERE quarantined_at IS NULL
               AND (lease_until IS NULL OR lease_until < clock_timestamp())),
       EXISTS (SELECT FROM notifications_delivery
               WHERE state = 'pending' AND due_at <= (SELECT clock_timestamp()))
"""


class Sweeper(threading.Thread):
    """Sweeps until told to stop; a database that is away is asked again."""

    def __init__(self, app: Any, *, every_s: float) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._app = app
        self._every_s = every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.sweep_once()
            except (OperationalError, InterfaceError):
                logger.warning("The sweep could not reach the database.", exc_info=True)
                connection.close()

    def sweep_once(self) -> None:
        swept = sweep_leases()
        if swept.returned or swept.unknown:
            logger.warning(
                "Gave back %s claimed rows, settled %s sends of dead workers.",
                swept.returned,
                swept.unknown,
            )
        for name in find_unrung():
            self._app.send_task(name, retry=False, expires=60)

    def stop(self) -> None:
        self._stopping.set()


def find_unrung() -> list[str]:
    """Names of tasks that have something to do now."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_DUE)
        events, deliveries = cursor.fetchone()
    names = []
    if events:
        names.append("notifications.tasks.process_events")
    if deliveries:
        names.append("notifications.tasks.send_deliveries")
    return names


class SweepStep(bootsteps.StartStopStep):
    """Starts the sweeper with the worker and stops it with it."""

    requires = {"celery.worker.components:Pool"}

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._sweeper: Sweeper | None = None

    def start(self, worker: Any) -> None:
        self._sweeper = Sweeper(worker.app, every_s=settings.DELIVERY_SWEEP_S)
        self._sweeper.start()

    def stop(self, worker: Any) -> None:
        if self._sweeper is not None:
            self._sweeper.stop()
