"""The web server that `up` starts, as a process of its own on the tests' database."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection

from tests.architecture.source import ROOT

START_S = 30


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def run_server(
    *, threads: int = 2, options: Sequence[str] = (), **environment: str
) -> Iterator[int]:
    """One worker of granian; yields its port once it accepts connections.

    The test that uses it needs `django_db(transaction=True)`: another process sees
    committed rows only. `options` are granian's own, for TLS; the rest is environment.
    """
    port = find_free_port()
    arguments = ["--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--no-ws", *options]
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", *arguments, "crm.asgi:application"],
        cwd=ROOT,
        env={
            **os.environ,
            "APROPOS_NO_BOOTSTRAP": "1",
            "WEB_THREADS": str(threads),
            **environment,
            "DATABASE_NAME": str(connection.settings_dict["NAME"]),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        else:
            return
