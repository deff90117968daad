"""Ringing from staff's pages: work is in rows already, so a lost ring costs a tick."""

from __future__ import annotations

import logging

import psycopg
from django.db import transaction
from kombu.exceptions import OperationalError

from notifications.tasks import ring

logger = logging.getLogger(__name__)
TICK = "notifications.tasks.tick"


def ring_on_commit(name: str = TICK) -> None:
    transaction.on_commit(lambda: _ring_quietly(name))


def _ring_quietly(name: str) -> None:
    try:
        ring(name)
    except (OperationalError, OSError, psycopg.Error) as error:
        logger.warning("the bell was not rung: %s", error)
