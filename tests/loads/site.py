"""The processes of a site under load: two web processes, a worker, memory watched."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

from crm.embedded.broker import lay_queue_schema
from notifications.demo.world import World
from tests.loads.sender import fit_slope
from tests.loads.waiting import wait_until
from tests.server import find_free_port

WEB_WORKERS, TASK_WORKERS = 2, 2
PAGE_MB = 4_096 / 1_000_000
SAMPLE_S = 1.0
START_S = 120.0
# Of a run, before the processes have all that they keep.
WARM_SHARE = 0.3


@dataclass(slots=True)
class Site:
    """As in production: `--respawn-failed-workers`, a worker of two processes."""

    world: World
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    leader: int = 0
    worker: int = 0

    def start_web(self) -> None:
        options = ["--interface", "asginl", "--no-ws", "--host", "127.0.0.1"]
        options += ["--port", str(self.port), "--workers", str(WEB_WORKERS)]
        options += ["--respawn-failed-workers", "--log-level", "error"]
        module = ["granian", *options, "crm.asgi:application"]
        self.leader = self.world.start("web", module, **self.environment)
        wait_for_health(self.port)

    def start_worker(self) -> None:
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        module = ["celery", "-A", "crm.celery", "worker", "--loglevel", "WARNING"]
        module += ["--pool", "prefork", "--concurrency", str(TASK_WORKERS), *quiet]
        environment = {"LOAD_ADMIN": "0", "CELERY_SKIP_CHECKS": "1"}
        environment = {**self.environment, **environment}
        self.worker = self.world.start("worker", module, **environment)

    def list_groups(self) -> list[int]:
        """Each leads a process group of its own."""
        return [self.leader, self.worker]

    def list_web(self) -> list[int]:
        """The processes that answer: the leader's children; none while it is gone."""
        path = Path(f"/proc/{self.leader}/task/{self.leader}/children")
        with suppress(FileNotFoundError, ProcessLookupError):
            return [int(pid) for pid in path.read_text().split()]
        return []


def wait_for_health(port: int) -> None:
    """Until a process answers; on a busy machine its start takes a while."""

    def answers() -> bool:
        with suppress(OSError):
            address = f"http://127.0.0.1:{port}/healthz"
            with urllib.request.urlopen(address, timeout=5) as answer:
                return bool(answer.status == 200)
        return False

    wait_until(answers, timeout_s=START_S)


@contextmanager
def run_site(log_dir: Path, **environment: str) -> Iterator[Site]:
    """A site on the tests' database, which other processes must see."""
    name = str(connection.settings_dict["NAME"])
    environment = {
        "APROPOS_NO_BOOTSTRAP": "1",
        "DATABASE_NAME": name,
        "BROKER_URL": "pgmq://",
        "LOG_LEVEL": "WARNING",
        **environment,
    }
    if environment["BROKER_URL"] == "pgmq://":
        connection.ensure_connection()
        lay_queue_schema(connection.connection)
    with World(log_dir=log_dir) as world:
        site = Site(world, find_free_port(), environment)
        site.start_web()
        site.start_worker()
        yield site


@dataclass(slots=True)
class MemoryWatch:
    """Resident megabytes of some processes, once a second while it is open."""

    pids: list[int]
    samples: list[tuple[float, float]] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> MemoryWatch:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        assert self._thread is not None
        self._thread.join()

    def _watch(self) -> None:
        begun_at = time.monotonic()
        while not self._done.wait(SAMPLE_S):
            size = sum(map(read_resident_mb, self.pids))
            self.samples.append((time.monotonic() - begun_at, size))

    def find_slope_mb_min(self) -> float:
        """Growth a minute, once warm, of all of them together."""
        warm = self.samples[int(len(self.samples) * WARM_SHARE) :]
        return fit_slope(warm) * 60


def read_resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_MB
