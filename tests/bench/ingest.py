"""Events a second through `/v1/batch`, against one COPY of the same rows.

    python tests/bench/ingest.py [--scale small|full] [--deep N] [--json]

A database of its own (`apropos_bench_ingest`, on the server of DATABASE_URL), two
granian workers, 100 events a request, 4 connections; every event is new, has its
own message id, and 10 of them share a contact. The client shares the machine's cores.

Then, in the same run, the yardsticks:

- `copy_per_s`: the rows that arrived, as Python rows, by one COPY over one connection
  into the same table, emptied; `raw_copy_per_s`: as bytes encoded before
- `copy_batch_per_s`: the same rows by a COPY and a commit for each 100 of them: what
  a server that answers each request when its events are safe can come near to
- `drf_per_s`: the same requests to `plain_drf.py` on the same server, half as many

`web_cpu_s_per_1000` and `server_cpu_s_per_1000` are CPU seconds of the web workers and
of PostgreSQL's backends for 1,000 events; they mean something on a busy machine too
(the second where PostgreSQL runs on this one).

`--deep N` measures once more with N older events in the table, spread over six months
(`ingest_deep_x_empty`).
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from cpu import list_backends, list_descendants, read_cpu_s
from deep import DEEP_DAYS, fill_deep

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


OURS = ("--interface", "asginl", "crm.asgi:application")
PLAIN_DRF = (
    *("--interface", "wsgi", "--blocking-threads", "2"),
    "plain_drf:application",
)
EMPTY_ALL = (
    "TRUNCATE crm_event, crm_pendingevent, crm_messagekey, crm_identifier, crm_contact "
    "CASCADE"
)
PREPARE = (
    "from crm.tasks import maintain; maintain(); "
    "from crm.models.partitions import ensure_partitions; "
    "from datetime import date, timedelta; d = date.today(); "
    "ensure_partitions('crm_event', first=d - timedelta(days={days}), last=d)"
)


@contextmanager
def web_server(
    environment: dict[str, str], target: tuple[str, ...] = OURS
) -> Iterator[tuple[int, int]]:
    """Its port and the number of its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    granian = str(Path(sys.executable).with_name("granian"))
    command = [granian, "--no-ws", "--port", str(port), "--workers", str(WORKERS)]
    command += ["--log-level", "error", *target]
    server = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        wait_for_port(port)
        yield port, server.pid
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


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
    refusals: list[str] = []

    def work() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
        }
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
                refusals.append(str(answer))
                return

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refusals:
        raise SystemExit(f"refused: {refusals[0]}")
    return latencies


@dataclass(frozen=True, slots=True)
class Copies:
    """Seconds that COPY takes for the rows that arrived."""

    rows: int
    rows_s: float
    batches_s: float
    raw_s: float


def time_copies(url: str) -> Copies:
    """The rows that arrived, copied back into the emptied table: as Python rows, at
    once and a hundred a commit, and as the bytes that the server itself gave out."""
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
        return Copies(
            rows=len(rows),
            rows_s=time_copy(connection, load, [rows]),
            batches_s=time_copy(
                connection,
                load,
                [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)],
            ),
            raw_s=time_raw_copy(connection, f"{load} (FORMAT binary)", blocks),
        )


def empty_table(connection: psycopg.Connection) -> None:
    connection.execute("TRUNCATE crm_event")
    connection.execute("CHECKPOINT")


def time_copy(
    connection: psycopg.Connection, load: str, parts: list[list[tuple[object, ...]]]
) -> float:
    """Each part by a COPY and a commit of its own."""
    empty_table(connection)
    begun_s = time.perf_counter()
    for rows in parts:
        with connection.cursor().copy(load) as copy:
            for row in rows:
                copy.write_row(row)
    return time.perf_counter() - begun_s


def time_raw_copy(
    connection: psycopg.Connection, load: str, blocks: list[bytes]
) -> float:
    empty_table(connection)
    begun_s = time.perf_counter()
    with connection.cursor().copy(load) as copy:
        for block in blocks:
            copy.write(block)
    return time.perf_counter() - begun_s


@dataclass(frozen=True, slots=True)
class Requests:
    """What all the requests took by the clock, each of them, and in CPU time."""

    took_s: float
    latencies: list[float]
    web_cpu_s: float
    server_cpu_s: float


def time_requests(
    environment: dict[str, str], key: str, bodies: list[bytes], target: tuple[str, ...]
) -> Requests:
    with web_server(environment, target) as (port, pid):
        time.sleep(1)  # The workers have read their modules by then.
        before_s = read_cpu_s(list_descendants(pid))
        begun_s = time.perf_counter()
        latencies = sorted(post_all(port, key, bodies))
        took_s = time.perf_counter() - begun_s
        web_cpu_s = read_cpu_s(list_descendants(pid)) - before_s
        server_cpu_s = read_cpu_s(list_backends(environment["DATABASE_URL"]))
    return Requests(took_s, latencies, web_cpu_s, server_cpu_s)


def empty_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EMPTY_ALL)


def measure_ingest(count: int, *, deep: int = 0) -> dict[str, float]:
    with fresh_database() as url:
        environment = build_environment(url)
        run_manage(environment, "migrate", "--verbosity", "0")
        prepare = PREPARE.format(days=31)
        run_manage(environment, "shell", "--no-imports", "-c", prepare)
        said = run_manage(environment, "create_api_key", "--scope", "track")
        key = said.split()[-1]
        bodies = make_bodies(count)
        ours = time_requests(environment, key, bodies, OURS)
        copies = time_copies(url)
        empty_all(url)
        half = bodies[: len(bodies) // 2]
        plain_s = time_requests(environment, key, half, PLAIN_DRF).took_s * 2
        figures = {}
        if deep:
            empty_all(url)
            prepare = PREPARE.format(days=DEEP_DAYS + 1)
            run_manage(environment, "shell", "--no-imports", "-c", prepare)
            fill_deep(url, deep)
            again_s = time_requests(environment, key, bodies, OURS).took_s
            figures = describe_deep(deep, again_s, ours.took_s, count=count)
    if copies.rows != count:
        raise SystemExit(f"{count} events were sent, {copies.rows} arrived")
    return {**describe(count, ours, copies, plain_s), **figures}


def build_environment(url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": url,
        "BROKER_URL": "memory://",
        "DJANGO_SETTINGS_MODULE": "crm.settings",
        "APROPOS_NO_BOOTSTRAP": "1",
        "SECRET_KEY": "bench-only",
        "ENCRYPTION_KEY": "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU=",
        "LOG_LEVEL": "ERROR",
        # Nobody works on what waits here.
        "INGEST_BACKLOG_MAX": "10000000",
        "PYTHONPATH": str(Path(__file__).resolve().parent),
    }


def describe(
    count: int, ours: Requests, copies: Copies, plain_s: float
) -> dict[str, float]:
    latencies = ours.latencies
    return {
        "events": count,
        "ingest_per_s": round(count / ours.took_s),
        "web_cpu_s_per_1000": round(ours.web_cpu_s * 1e3 / count, 4),
        "server_cpu_s_per_1000": round(ours.server_cpu_s * 1e3 / count, 4),
        "copy_per_s": round(count / copies.rows_s),
        "copy_batch_per_s": round(count / copies.batches_s),
        "raw_copy_per_s": round(count / copies.raw_s),
        "drf_per_s": round(count / plain_s),
        "ingest_x_copy": round(copies.rows_s / ours.took_s, 3),
        "ingest_x_copy_batch": round(copies.batches_s / ours.took_s, 3),
        "ingest_x_drf": round(plain_s / ours.took_s, 2),
        "request_p50_ms": round(latencies[len(latencies) // 2] * 1e3, 1),
        "request_p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 1),
    }


def describe_deep(
    deep: int, again_s: float, empty_s: float, *, count: int
) -> dict[str, float]:
    return {
        "deep_events": deep,
        "deep_per_s": round(count / again_s),
        "ingest_deep_x_empty": round(empty_s / again_s, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--deep", type=int, default=0, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure_ingest(SCALES[options.scale], deep=options.deep)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
