"""Two connections at once: a thread of its own, and waiting until it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection, connections


def start(work: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


ADVISORY = (
    "locktype = 'advisory' AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)
# Somebody waits for the rows that this transaction holds.
OUR_ROWS = "locktype = 'transactionid' AND transactionid = pg_current_xact_id()::xid"


def wait_for_queue(condition: str, *, waiting: int = 1) -> None:
    """Until so many other connections wait for such a lock."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM pg_locks WHERE NOT granted AND {condition}"
            )
            if cursor.fetchone()[0] >= waiting:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
