"""The processes of a demo: sandbox, web server, Celery worker and phones.

Real ones, the same commands that `up` runs; each leads a group of its own, so
that killing one takes its children with it, as a crashed machine would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from crm.embedded.lifeline import bind_to_parent

START_TIMEOUT_S = 30.0


class World:
    """Starts what a story needs and leaves nothing behind."""

    def __init__(self, *, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        for name in list(self._processes):
            self.stop(name)

    def start(self, name: str, module: Sequence[str], **environment: str) -> int:
        """Start `python -m module…` under this name; answers its process id."""
        with open(self._log_dir / f"demo-{name}.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=bind_to_parent(signal.SIGTERM),
            )
        self._processes[name] = process
        return process.pid

    def start_sandbox(self, port: int, log: Path) -> None:
        self.start(
            "sandbox", ["notifications.sandbox", "--port", str(port), "--log", str(log)]
        )
        wait_for_port(port)

    def start_web(self, port: int) -> None:
        self.start(
            "web",
            [
                "granian",
                "--interface",
                "asginl",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
                "--no-ws",
                "crm.asgi:application",
            ],
        )
        wait_for_port(port)

    def start_worker(self, *, processes: int = 2) -> int:
        return self.start(
            "worker",
            [
                "celery",
                "-A",
                "crm.celery",
                "worker",
                "--pool",
                "prefork",
                "--concurrency",
                str(processes),
                "--hostname",
                "demo@worker",
                "--loglevel",
                "WARNING",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
            ],
            LOAD_ADMIN="0",
            CELERY_SKIP_CHECKS="1",
        )

    def is_alive(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL the process and its children, as a power cut would."""
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> None:
        """End it in order; whatever hangs on is killed after ten seconds."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_port(port: int) -> None:
    """Raises TimeoutError where nothing answers in time."""
    ends = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing answers on port {port}; see the demo's logs")
