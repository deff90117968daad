"""Ringing the bell after an ingest commit: work has arrived, somebody look.

A thread of its own rings, so that a slow or dead broker never holds a request,
and many commits make one ring. A ring that is lost costs a tick, never an event.
"""

from __future__ import annotations

import logging
import os
import threading
import time

import psycopg
from django.conf import settings
from kombu.exceptions import OperationalError

from crm.celery import app

logger = logging.getLogger(__name__)
# At most 20 rings a second from one process.
MIN_GAP_S = 0.05

_wanted = threading.Event()
_lock = threading.Lock()
_ringer: threading.Thread | None = None
_ringer_pid = 0


def ring_bell() -> None:
    """Ask for a ring; returns at once."""
    _wanted.set()
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
        _wanted.wait()
        _wanted.clear()
        send_ring()
        time.sleep(MIN_GAP_S)


def send_ring() -> None:
    try:
        app.send_task(settings.INGEST_BELL_TASK, retry=False)
    except (OperationalError, OSError, psycopg.Error) as error:
        logger.warning("the bell was not rung: %s", error)
