"""The bell: ask for a task by name, from the edges.

Work is in rows already, so a ring that is lost costs seconds, never work: the
sweeper and the ticks find what nobody rang for.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import partial

import psycopg
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from crm.celery import app

logger = logging.getLogger(__name__)
# At most 20 rings a second from one process.
MIN_GAP_S = 0.05
# A ring older than this is no news: the sweeper has looked since.
EXPIRES_S = 60

_wanted: set[str] = set()
_somebody_asked = threading.Event()
_lock = threading.Lock()
_ringer: threading.Thread | None = None
_ringer_pid = 0


def ring(name: str) -> None:
    """Ask the broker for a task now. Raises what its client raises when it is away."""
    # By the app itself: in a thread that did not make it, Celery's `current_app` is
    # another one, with another broker.
    app.send_task(name, retry=False, expires=EXPIRES_S)


def ring_on_commit(name: str = settings.TICK_BELL_TASK) -> None:
    """Ask for a ring once the work is in rows for all to see."""
    transaction.on_commit(partial(ring_bell, name), robust=True)


def ring_bell(name: str = settings.INGEST_BELL_TASK) -> None:
    """Ask for a ring; returns at once.

    A thread of its own rings, so that a slow or dead broker never holds a request,
    and many commits make one ring.
    """
    with _lock:
        _wanted.add(name)
    _somebody_asked.set()
    if _ringer is None or not _ringer.is_alive() or os.getpid() != _ringer_pid:
        start_ringer()


def start_ringer() -> None:
    """One ringer a process; a forked child does not inherit its parent's thread."""
    global _ringer, _ringer_pid
    with _lock:
        if _ringer is not None and _ringer.is_alive() and os.getpid() == _ringer_pid:
            return
        _ringer = threading.Thread(target=ring_for_ever, name="bell", daemon=True)
        _ringer_pid = os.getpid()
        _ringer.start()


def ring_for_ever() -> None:
    while True:
        _somebody_asked.wait()
        _somebody_asked.clear()
        with _lock:
            names = sorted(_wanted)
            _wanted.clear()
        for name in names:
            ring_quietly(name)
        time.sleep(MIN_GAP_S)


def ring_quietly(name: str) -> None:
    try:
        ring(name)
    except (OperationalError, OSError, psycopg.Error) as error:
        logger.warning("the bell was not rung: %s", error)
