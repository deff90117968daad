"""Start, find and stop the embedded PostgreSQL.

`attach_or_start` is the one way in: the caller shares the server with every other
command of this checkout, and the last one to end stops it (see `keeper`).
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from psycopg import sql

from crm.embedded.cluster import (
    DATABASE,
    ROLE,
    SUPERUSER,
    Cluster,
    EmbeddedPostgresError,
    create_data,
    find_binaries,
    list_options,
    prepare_directories,
    run_as,
    write_access_rules,
)

__all__ = ["Cluster", "EmbeddedPostgresError", "attach_configured", "attach_or_start"]

# Recovery after a crash with max_wal_size of WAL to replay.
START_TIMEOUT_S = 120.0
POLL_S = 0.02
CHECKOUT = Path(__file__).resolve().parents[2]
# Without site-packages and PYTHON… variables: a small process that starts fast.
BARE_PYTHON = [sys.executable, "-E", "-S"]

# Open descriptors of the users' lock, by base directory: held until the process ends.
_held: dict[Path, int] = {}


def attach_configured() -> None:
    """Attaches to the server of the settings, where they name the embedded one."""
    from django.conf import settings

    if settings.EMBEDDED_CLUSTER is not None:
        attach_or_start(settings.EMBEDDED_CLUSTER)


def attach_or_start(cluster: Cluster) -> None:
    """1. Count as a user 2. start the server if nobody did 3. make role and database.

    Call it in the main thread, before forking. Raises EmbeddedPostgresError.
    """
    if cluster.base in _held and is_reachable(cluster):
        return
    prepare_directories(cluster)
    hold_users_lock(cluster)
    if is_reachable(cluster):
        return
    with open(cluster.base / "start.lock", "w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not is_reachable(cluster):
            start_server(cluster)


def release_server(cluster: Cluster, *, timeout_s: float = 15.0) -> bool:
    """Stops counting as a user. True when the server is down, False where others use
    it still or it takes longer."""
    descriptor = _held.pop(cluster.base, None)
    if descriptor is not None:
        os.close(descriptor)
    return wait_until_down(cluster.base, timeout_s=timeout_s)


def wait_until_down(base: Path, *, timeout_s: float) -> bool:
    """The keeper holds its own lock for as long as it has a server."""
    give_up_at = time.monotonic() + timeout_s
    with open(base / "keeper.lock", "w") as keeper:
        while time.monotonic() < give_up_at:
            try:
                fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(POLL_S)
            else:
                return True
    return False


def hold_users_lock(cluster: Cluster) -> None:
    """Waits while a keeper that found nobody left stops its server."""
    if cluster.base in _held:
        return
    try:
        users = os.open(cluster.base / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"cannot write {error.filename}: {error.strerror}"
        ) from error
    fcntl.flock(users, fcntl.LOCK_SH)
    _held[cluster.base] = users


def is_reachable(cluster: Cluster) -> bool:
    """By connecting: a process id lies (a zombie reads as running)."""
    try:
        with psycopg.connect(
            cluster.conninfo(user=SUPERUSER, database="postgres"), connect_timeout=5
        ):
            return True
    except psycopg.OperationalError:
        return False


def start_server(cluster: Cluster) -> None:
    binaries = find_binaries(cluster)
    create_data(cluster, binaries)
    write_access_rules(cluster)
    log_start = cluster.log.stat().st_size if cluster.log.exists() else 0
    keeper = start_keeper(cluster, binaries)
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while not is_reachable(cluster):
        if keeper.poll() not in (None, 0) or time.monotonic() > give_up_at:
            raise EmbeddedPostgresError(
                f"PostgreSQL did not start: {read_fault(cluster, log_start)} "
                f"(log: {cluster.log})"
            )
        time.sleep(POLL_S)
    create_database(cluster)


def start_keeper(cluster: Cluster, binaries: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        build_keeper_command(cluster, binaries),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=CHECKOUT,
        start_new_session=True,
    )


def build_keeper_command(cluster: Cluster, binaries: Path) -> list[str]:
    config = {
        "command": [
            str(binaries / "postgres"),
            *("-D", str(cluster.data)),
            *list_options(cluster),
        ],
        "account": {k: v for k, v in run_as(cluster).items() if k != "cwd"},
        "data": str(cluster.data),
        "log": str(cluster.log),
        "users_lock": str(cluster.base / "users.lock"),
        "keeper_lock": str(cluster.base / "keeper.lock"),
    }
    module = [*BARE_PYTHON, "-m", "crm.embedded.keeper"]
    return [*module, json.dumps(config)]


def hand_over_users_lock(cluster: Cluster) -> int:
    """The descriptor that counts us as a user, to survive the next exec."""
    descriptor = _held[cluster.base]
    os.set_inheritable(descriptor, True)
    return descriptor


def read_fault(cluster: Cluster, offset: int) -> str:
    """The last complaint in the server's log since `offset` bytes."""
    if not cluster.log.exists():
        return "it wrote no log"
    with open(cluster.log, "rb") as log:
        log.seek(offset)
        lines = log.read().decode(errors="replace").splitlines()
    faults = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return (faults or lines or ["no reason given"])[-1]


def create_database(cluster: Cluster) -> None:
    """The role of the application is no superuser: it owns its database, no more."""
    with psycopg.connect(
        cluster.conninfo(user=SUPERUSER, database="postgres"), autocommit=True
    ) as connection:
        role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
        if not exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", ROLE):
            # CREATEDB: the demo and the tests make databases of their own.
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(role))
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        if not exists(connection, known, DATABASE):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role)
            )


def exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None
