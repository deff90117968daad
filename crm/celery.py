"""Celery's application. Loaded by `crm.apps`, so that web and commands know it too.

The broker is a doorbell: it may ring zero, one or many times, since all due work is
rows. Messages hold ids only, are acknowledged early, and keep no result.
"""

from __future__ import annotations

import gc
import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

from crm.embedded.broker import SCHEME

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

app = Celery("apropos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    timezone="UTC",
    enable_utc=True,
    # Nobody waits for a task, and a result backend leaks what it keeps.
    task_ignore_result=True,
    accept_content=["json"],
    task_serializer="json",
    # A worker takes what it can do now: no hoard is lost or late when it dies.
    worker_prefetch_multiplier=1,
    task_acks_late=False,
    worker_max_tasks_per_child=1_000,
    worker_max_memory_per_child=300_000,  # KB
    # A publisher never waits for a broker that is down: the sweeper rings again.
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    # A RabbitMQ that fell silent is given up after twice as long (default: 4 minutes).
    broker_heartbeat=10,
    # Ends a task that hangs; its rows come back by their lease.
    task_soft_time_limit=60,
    task_time_limit=90,
    # Remote control makes a queue per worker, which a killed one leaves behind in
    # the database; the heartbeat row says who is alive.
    worker_enable_remote_control=not settings.CELERY_BROKER_URL.startswith(SCHEME),
    worker_hijack_root_logger=False,
)
app.autodiscover_tasks()
# Threads of a worker's parent process, such as the sweeper, named by path: a worker
# loads them, nobody else.
app.steps["worker"].update(settings.WORKER_BOOTSTEPS)


@signals.worker_init.connect
def freeze_memory(**kwargs: Any) -> None:
    """The collector would touch, and so copy, every page a child shares with us."""
    gc.freeze()


@app.task(name="crm.ping")
def ping() -> str:
    """Answers; the test of a broker."""
    return "pong"
