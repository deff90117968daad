"""Events a second through `/v1/batch`, against one COPY of the same rows.

    python tests/bench/ingest.py [--scale small|full] [--json]

A database of its own (`apropos_bench_ingest`, on the server of DATABASE_URL), two
granian workers, 100 events a request, 4 connections; every event is new, has its
own message id, and 10 of them share a contact. Then the rows that arrived are
written into the same table, emptied, by one COPY over one connection: as Python
rows (`copy_per_s`, what `ingest_x_copy` is told against) and as bytes encoded
before (`raw_copy_per_s`). The client shares the machine's cores.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "apropos_bench_ingest"
DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/apropos"
SCALES = {"small": 40_000, "full": 400_000}
BATCH = 100
CONNECTIONS = 4
WORKERS = 2
EVENTS_PER_CONTACT = 10
COLUMNS = (
    "id, contact_id, name, occurred_at, received_at, message_id, properties, "
    "context, value, currency, source, clock_skewed"
)


def make_bodies(count: int) -> list[bytes]:
    """Request bodies, made before the clock starts."""
    start = datetime.now(UTC) - timedelta(days=20)
    names = ("Product Viewed", "Cart Updated", "Order Completed", "App Opened")

    def make_event(number: int) -> dict[str, object]:
        return {
            "type": "track",
            "messageId": f"bench-{number:09d}-5d4c3b2a1908",
            "userId": f"user-{number // EVENTS_PER_CONTACT % (count // 10)}",
            "event": names[number % 4],
            "timestamp": (start + timedelta(seconds=number * 3)).isoformat(),
            "properties": {
                "product_id": f"sku-{number % 4_000}",
                "category": "garden",
                "total": round(number % 300 / 7, 2),
                "currency": "GBP",
            },
            "context": {"library": {"name": "bench", "version": "1"}},
        }

    return [
        json.dumps({"batch": [make_event(n) for n in range(at, at + BATCH)]}).encode()
        for at in range(0, count, BATCH)
    ]


@contextmanager
def fresh_database() -> Iterator[str]:
    parts = urlsplit(os.environ.get("DATABASE_URL", DEFAULT_URL))
    admin = urlunsplit(parts._replace(path="/postgres"))
    url = urlunsplit(parts._replace(path=f"/{DATABASE}"))
    drop = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(f"CREATE DATABASE {DATABASE}")
        try:
            yield url
        finally:
            connection.execute(drop)


def run_manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


PREPARE = (
    "from crm.tasks import maintain; maintain(); "
    "from crm.models.partitions import ensure_partitions; "
    "from datetime import date, timedelta; d = date.today(); "
    "ensure_partitions('crm_event', first=d - timedelta(days=31), last=d)"
)


@contextmanager
def web_server(environment: dict[str, str]) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    granian = str(Path(sys.executable).with_name("granian"))
    command = [granian, "--interface", "wsgi", "--no-ws", "--port", str(port)]
    command += ["--workers", str(WORKERS), "--blocking-threads", "2"]
    command += ["--log-level", "error", "crm.wsgi:application"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        wait_for_port(port)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the web server did not start")


def post_all(port: int, key: str, bodies: list[bytes]) -> list[float]:
    """Seconds of each request; every event must be accepted."""
    waiting = iter(bodies)
    lock = threading.Lock()
    latencies: list[float] = []

    def work() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {key}"}
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            begun_s = time.perf_counter()
            client.request("POST", "/v1/batch", body, headers)
            answer = json.loads(client.getresponse().read())
            latencies.append(time.perf_counter() - begun_s)
            if answer.get("accepted") != BATCH:
                raise SystemExit(f"refused: {answer}")

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def time_copies(url: str) -> tuple[int, float, float]:
    """The rows that arrived, copied back into the emptied table by one COPY each:
    as Python rows, and as the bytes that the server itself gave out."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = f"SELECT {COLUMNS} FROM crm_event ORDER BY received_at, id"
        rows = connection.execute(
            query.replace("properties", "properties::text").replace(
                "context", "context::text"
            )
        ).fetchall()
        with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as c:
            blocks = list(c)
        load = f"COPY crm_event ({COLUMNS}) FROM STDIN"
        rows_s = time_copy(connection, load, lambda copy: write_rows(copy, rows))
        raw_s = time_copy(
            connection,
            f"{load} (FORMAT binary)",
            lambda copy: [copy.write(block) for block in blocks],
        )
    return len(rows), rows_s, raw_s


def write_rows(copy: psycopg.Copy, rows: list[tuple[object, ...]]) -> None:
    for row in rows:
        copy.write_row(row)


def time_copy(
    connection: psycopg.Connection, load: str, write: Callable[[psycopg.Copy], object]
) -> float:
    connection.execute("TRUNCATE crm_event")
    connection.execute("CHECKPOINT")
    begun_s = time.perf_counter()
    with connection.cursor().copy(load) as copy:
        write(copy)
    return time.perf_counter() - begun_s


def measure_ingest(count: int) -> dict[str, float]:
    with fresh_database() as url:
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "BROKER_URL": "memory://",
            "DJANGO_SETTINGS_MODULE": "crm.settings",
            "APROPOS_NO_BOOTSTRAP": "1",
            "SECRET_KEY": "bench-only",
            "ENCRYPTION_KEY": "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU=",
            "LOG_LEVEL": "ERROR",
        }
        run_manage(environment, "migrate", "--verbosity", "0")
        run_manage(environment, "shell", "--no-imports", "-c", PREPARE)
        said = run_manage(environment, "create_api_key", "--scope", "track")
        key = said.split()[-1]
        bodies = make_bodies(count)
        with web_server(environment) as port:
            begun_s = time.perf_counter()
            latencies = sorted(post_all(port, key, bodies))
            took_s = time.perf_counter() - begun_s
        rows, copy_s, raw_copy_s = time_copies(url)
    if rows != count:
        raise SystemExit(f"{count} events were sent, {rows} arrived")
    return {
        "events": count,
        "ingest_per_s": round(count / took_s),
        "copy_per_s": round(count / copy_s),
        "raw_copy_per_s": round(count / raw_copy_s),
        "ingest_x_copy": round(copy_s / took_s, 3),
        "request_p50_ms": round(latencies[len(latencies) // 2] * 1e3, 1),
        "request_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure_ingest(SCALES[options.scale])
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
