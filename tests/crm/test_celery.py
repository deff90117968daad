"""Brokers over real sockets: a worker in a process of its own takes a ping."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest
from django.conf import settings
from django.db import connection

from crm.celery import app
from crm.embedded.broker import (
    build_broker_options,
    choose_broker_options,
    lay_queue_schema,
)

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0


class Worker:
    """`celery worker` on a broker, whose log is read as it comes."""

    def __init__(self, environment: dict[str, str], *, queue: str) -> None:
        self.environment = {**os.environ, **environment, "CELERY_SKIP_CHECKS": "1"}
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "crm.celery", "worker"),
                *("--loglevel", "INFO", "--concurrency", "1", "-Q", queue, *quiet),
            ],
            cwd=CHECKOUT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        self.seen: list[str] = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def wait_for(self, text: str) -> str:
        give_up_at = time.monotonic() + DEADLINE_S
        while True:
            try:
                line = self.lines.get(timeout=max(give_up_at - time.monotonic(), 0))
            except Empty:
                pytest.fail(f"no {text!r} in:\n{''.join(self.seen)}")
            self.seen.append(line)
            if text in line:
                return line

    def publish(self, queue: str) -> str:
        """A ping sent by a third process, as the web server does it."""
        program = (
            "import sys, crm.celery, django; django.setup();"
            "print(crm.celery.ping.apply_async(queue=sys.argv[1]).id)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, queue],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture
def start_worker() -> Iterator[object]:
    workers: list[Worker] = []

    def start(environment: dict[str, str], queue: str) -> Worker:
        worker = Worker(environment, queue=queue)
        workers.append(worker)
        worker.wait_for("ready.")
        return worker

    yield start
    for worker in workers:
        worker.process.kill()


def check_ping(worker: Worker, queue: str) -> None:
    task_id = worker.publish(queue)
    worker.wait_for(f"Task crm.ping[{task_id}] succeeded")
    worker.stop()


@pytest.mark.slow
@pytest.mark.services
def test_a_ping_goes_through_redis(start_worker, redis_url: str) -> None:
    queue = f"test{os.getpid()}"
    check_ping(start_worker({"BROKER_URL": redis_url}, queue), queue)


@pytest.mark.slow
@pytest.mark.services
def test_a_ping_goes_through_rabbitmq(start_worker, rabbitmq_url: str) -> None:
    queue = f"test{os.getpid()}"
    worker = start_worker({"BROKER_URL": rabbitmq_url}, queue)
    check_ping(worker, queue)
    with app.connection_for_write(rabbitmq_url) as broker:
        broker.default_channel.queue_delete(queue)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_ping_goes_through_the_main_database(start_worker) -> None:
    connection.ensure_connection()
    lay_queue_schema(connection.connection)
    # Processes of their own must find the tests' database, not the main one.
    name = str(connection.settings_dict["NAME"])
    environment = {"DATABASE_NAME": name, "BROKER_URL": "pgmq://"}
    queue = f"test{os.getpid()}"
    check_ping(start_worker(environment, queue), queue)


@pytest.mark.django_db
def test_the_queue_schema_is_laid_once() -> None:
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS pgmq CASCADE")
    assert lay_queue_schema(connection.connection) is True
    assert lay_queue_schema(connection.connection) is False


@pytest.mark.django_db
def test_the_queue_schema_of_another_version_is_replaced() -> None:
    connection.ensure_connection()
    lay_queue_schema(connection.connection)
    with connection.cursor() as cursor:
        cursor.execute("COMMENT ON SCHEMA pgmq IS 'pgmq 0.1, laid by Apropos'")
    assert lay_queue_schema(connection.connection) is True


def test_a_queue_on_the_main_database_never_asks_for_an_extension() -> None:
    database = {
        "HOST": "/run/a b",
        "PORT": "",
        "USER": "u",
        "PASSWORD": "",
        "NAME": "n",
    }
    options = build_broker_options(database)
    assert options["conn_string"] == "host='/run/a b' user=u dbname=n"
    assert options["init_extension"] is False
    assert options["use_notify"] is True


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "rediss://10.0.0.1:6380/1"])
def test_a_redis_that_falls_silent_is_given_up(url: str) -> None:
    options = choose_broker_options(url, {})
    assert set(options) == {
        "socket_timeout",
        "socket_connect_timeout",
        "health_check_interval",
    }
    # Work goes on within 30 s of its return.
    assert max(options.values()) <= 10


def test_workers_take_one_message_at_a_time_and_keep_no_result() -> None:
    conf = app.conf
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_ignore_result is True
    assert conf.task_acks_late is False
    assert conf.accept_content == ["json"]
    assert conf.task_publish_retry is False
    assert (conf.timezone, conf.enable_utc) == ("UTC", True)
    assert conf.worker_max_tasks_per_child == 1_000
    assert conf.worker_max_memory_per_child == 300_000


def test_ticks_are_intervals_that_expire() -> None:
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert isinstance(entry["schedule"], float), name
        assert 0 < entry["options"]["expires"] <= 1800, name


def test_the_package_imports_nothing_before_the_bootstrap() -> None:
    program = (
        "import sys, crm; sys.exit('django' in sys.modules or 'celery' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT).returncode == 0
