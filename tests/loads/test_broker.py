"""F5: the broker is killed and wiped, away, and a black hole, under L2's load."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from crm.models import PendingEvent
from notifications.demo.world import wait_for_port
from tests.loads.machine import MachineWatch
from tests.loads.run import (
    BATCH,
    LASTING_S,
    check_latency,
    make_stream,
    prepare_load,
    tell,
)
from tests.loads.sender import summarize
from tests.loads.site import run_site
from tests.loads.stream import encode_batch, split_evenly
from tests.loads.waiting import wait_until
from tests.loads.world import check_effects, make_live, wait_until_worked_on
from tests.server import find_free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
]
RECOVER_S = 30.0


class Redis:
    """A server of its own, which keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        self.port = find_free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for_port(self.port)

    def kill(self) -> None:
        """-9; all that it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("no Redis here (Debian: apt install redis-server)")
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


@contextmanager
def open_hole(port: int, stack: ExitStack) -> Iterator[None]:
    """Takes each connection and never says a word; `stack` closes them, not the end
    of the hole: a network that swallows packets does not say good-bye either."""
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        with suppress(OSError):
            while True:
                stack.enter_context(listener.accept()[0])

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        # A listener that is only closed goes on in the thread that waits on it.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def break_redis(redis: Redis, stack: ExitStack, *, lasting_s: float) -> float:
    """Every fault in turn; seconds from its return until work went on."""
    time.sleep(lasting_s * 0.15)
    redis.kill()
    redis.start()
    time.sleep(lasting_s * 0.15)
    redis.kill()
    time.sleep(lasting_s * 0.25)
    with open_hole(redis.port, stack):
        time.sleep(lasting_s * 0.25)
    redis.start()
    waiting = PendingEvent.objects.order_by("pk").first()
    assert waiting is not None, "work went on without a broker"
    return wait_until(
        lambda: not PendingEvent.objects.filter(pk=waiting.pk).exists(),
        timeout_s=RECOVER_S,
    )


@pytest.mark.parametrize("lasting_s", LASTING_S)
def test_f5_a_broker_that_fails_in_any_way_costs_no_event_and_no_patience(
    transactional_db: None, tmp_path: Path, redis: Redis, lasting_s: int
) -> None:
    live, stream = make_live(), make_stream(2_000 * lasting_s)
    batches = list(split_evenly(stream.count, BATCH))
    calls = (partial(encode_batch, stream, numbers) for numbers in batches)
    address = f"redis://127.0.0.1:{redis.port}/0"
    with run_site(tmp_path, BROKER_URL=address) as site, ExitStack() as stack:
        load = prepare_load(site, calls, rate_per_s=2_000 / BATCH)
        with MachineWatch(site.list_groups()) as machine:
            sending = threading.Thread(target=load.run)
            sending.start()
            again_s = break_redis(redis, stack, lasting_s=lasting_s)
            sending.join()
        summary = summarize(load.answers)
        drained_s = wait_until_worked_on()
    said = f"work went on after {again_s:.1f} s, drained in {drained_s:.1f} s"
    tell("F5", summary, said, machine)
    assert summary.statuses == {200: len(batches)}
    assert (summary.accepted, summary.duplicates) == (stream.count, 0)
    check_effects(stream, *live)
    check_latency(summary, machine, p99_ms=500)
