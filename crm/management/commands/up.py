"""`up`: the whole product on this machine, in one command.

1. One `up` per data directory 2. the database 3. tables, first login, sample data
4. this process becomes the supervisor of web, worker, beat and sandbox.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import socket
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from crm.embedded.broker import SCHEME, lay_queue_schema
from crm.embedded.certificate import CertificateFiles, read_or_create_certificate
from crm.embedded.cluster import Cluster, EmbeddedPostgresError, find_binaries
from crm.embedded.free_port import find_free_port
from crm.embedded.postgres import (
    BARE_PYTHON,
    attach_configured,
    build_keeper_command,
    hand_over_users_lock,
)

POSTGRES_MIN_VERSION = 150_000
WEB_WORKERS = 2
TASK_WORKERS = 2
# Celery's system checks would load every page, which LOAD_ADMIN leaves out.
PAGELESS = {"LOAD_ADMIN": "0", "CELERY_SKIP_CHECKS": "1"}
BANNER = """
  Apropos is running.

  Admin         {url}/admin/
  {login}
  Phone screen  {url}/sandbox/{tls}
  Logs          {logs}
  Data          {data}

  Ctrl-C stops all of it.
"""
# Where the file is, for the SDKs that are to trust it.
TLS_BANNER = """
  Also          {url}  (trust {file})"""


@dataclass(frozen=True, slots=True)
class Tls:
    """Where https is served, and by which files."""

    port: int
    files: CertificateFiles


class Command(BaseCommand):
    help = "Starts database, web, worker, beat and sandbox; Ctrl-C stops them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--empty", action="store_true", help="no sample data")
        parser.add_argument(
            "--tls", action="store_true", help="also https, by a certificate of its own"
        )
        parser.add_argument("--tls-port", type=int, default=8443)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        if os.geteuid() == 0:
            self.stderr.write("Running as root: an ordinary user is safer.")
        try:
            up_lock = hold_up_lock()
            check_port(host, port)
            tls = prepare_tls(host, options["tls_port"]) if options["tls"] else None
            attach_configured()
            is_first_run = prepare_database()
        except EmbeddedPostgresError as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(f"cannot use the database: {reason}") from error
        if is_first_run:
            lay_first_data(self, is_empty=options["empty"])
        login = describe_login()
        connection.close()
        become_supervisor(
            build_spec(host=host, port=port, login=login, up_lock=up_lock, tls=tls)
        )


def lay_first_data(command: BaseCommand, *, is_empty: bool) -> None:
    """The made-up shop, or only what a first campaign needs: both live downstream,
    so they are called by name."""
    name = "lay_foundation" if is_empty else "load_sample"
    if not is_empty:
        command.stderr.write("Loading sample data …")
    if name in get_commands():
        call_command(name)


def hold_up_lock() -> int:
    """Raises CommandError where another `up` has this data directory."""
    directory = find_data_directory()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.LOG_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CommandError(
            f"cannot write {error.filename}: {error.strerror}"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(f"Apropos is already up on {directory}") from None
    return lock


def find_data_directory() -> Path:
    """Where the lock, the secrets and the certificate lie."""
    cluster: Cluster | None = settings.EMBEDDED_CLUSTER
    return cluster.base if cluster else settings.DATA_DIR


def prepare_tls(host: str, port: int) -> Tls:
    """Raises CommandError where the port is taken or the files cannot be written."""
    check_port(host, port)
    try:
        files = read_or_create_certificate(
            find_data_directory(), host=host, now=timezone.now()
        )
    except OSError as error:
        raise CommandError(
            f"cannot write {error.filename}: {error.strerror}"
        ) from error
    return Tls(port, files)


def check_port(host: str, port: int) -> None:
    """Raises CommandError where the web server could not listen."""
    # getaddrinfo would wrap a larger number silently.
    if not 0 < port < 65_536:
        raise CommandError(f"a port is 1 to 65535, not {port}")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror
        raise CommandError(
            f"cannot listen on {host}:{port}: {reason} (choose with --port)"
        ) from error


def prepare_database() -> bool:
    """Tables, queue and first login. True on the first run of this database."""
    connection.ensure_connection()
    if connection.connection.info.server_version < POSTGRES_MIN_VERSION:
        raise CommandError("PostgreSQL 15 or newer is needed")
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
    elif settings.CELERY_BROKER_URL.startswith(SCHEME):
        lay_queue_schema(connection.connection)
    users = get_user_model()
    if users.objects.exists():
        return False
    if settings.ADMIN_PASSWORD:
        users.objects.create_superuser(
            settings.ADMIN_LOGIN, password=settings.ADMIN_PASSWORD
        )
    return True


def describe_login() -> str:
    user = get_user_model().objects.filter(username=settings.ADMIN_LOGIN).first()
    if user is None:
        return "Login         none yet: python3 manage.py createsuperuser"
    if settings.ADMIN_PASSWORD and user.check_password(settings.ADMIN_PASSWORD):
        return f"Login         {user.username} / {settings.ADMIN_PASSWORD}"
    return f"Login         {user.username} / the password you chose"


def build_spec(
    *, host: str, port: int, login: str, up_lock: int, tls: Tls | None = None
) -> dict[str, Any]:
    cluster: Cluster | None = settings.EMBEDDED_CLUSTER
    url = f"http://{name_host(host)}:{port}"
    sandbox_port = int(os.environ.get("SANDBOX_PORT") or find_free_port())
    binaries = find_binaries(cluster) if cluster else None
    children = list_children(host=host, port=port, sandbox_port=sandbox_port)
    if tls is not None:
        children.append(build_tls_child(host, tls))
    logs = [child["log"] for child in children]
    return {
        "children": children,
        "logs": [*logs, str(cluster.log)] if cluster else logs,
        "environment": list_environment(url, sandbox_port),
        "host": "127.0.0.1" if host == "0.0.0.0" else host,
        "port": port,
        "cwd": str(settings.BASE_DIR),
        "bare_python": BARE_PYTHON,
        "banner": write_banner(url, login=login, host=host, tls=tls),
        "keeper": cluster and binaries and build_keeper_command(cluster, binaries),
        "keeper_lock": cluster and str(cluster.base / "keeper.lock"),
        "users_lock": cluster and str(cluster.base / "users.lock"),
        "users_fd": cluster and hand_over_users_lock(cluster),
        "up_fd": up_lock,
    }


def name_host(host: str) -> str:
    return "localhost" if host in ("127.0.0.1", "0.0.0.0", "::") else host


def list_environment(url: str, sandbox_port: int) -> dict[str, str]:
    return {
        "PYTHONUNBUFFERED": "1",
        "SITE_URL": os.environ.get("SITE_URL") or url,
        "SANDBOX_PORT": str(sandbox_port),
        "SANDBOX_URL": f"http://127.0.0.1:{sandbox_port}",
    }


def write_banner(url: str, *, login: str, host: str, tls: Tls | None) -> str:
    https = ""
    if tls is not None:
        https = TLS_BANNER.format(
            url=f"https://{name_host(host)}:{tls.port}", file=tls.files.certificate
        )
    cluster: Cluster | None = settings.EMBEDDED_CLUSTER
    return BANNER.format(
        url=url,
        login=login,
        tls=https,
        logs=settings.LOG_DIR,
        data=cluster.base if cluster else "DATABASE_URL",
    )


def build_tls_child(host: str, tls: Tls) -> dict[str, Any]:
    """The same site once more, for clients that speak https alone."""
    return {
        "name": "web-tls",
        "command": [
            *(sys.executable, "-m", "granian", "--interface", "asginl", "--no-ws"),
            *("--host", host, "--port", str(tls.port), "--workers", "1"),
            *("--ssl-certificate", str(tls.files.certificate)),
            *("--ssl-keyfile", str(tls.files.key), "--ssl-protocol-min", "tls1.2"),
            *("--respawn-failed-workers", "crm.asgi:application"),
        ],
        "environment": {},
        "log": str(Path(settings.LOG_DIR) / "web-tls.log"),
    }


def list_children(*, host: str, port: int, sandbox_port: int) -> list[dict[str, Any]]:
    """The web server comes first: its answer is what makes `up` ready."""
    celery = ["celery", "-A", "crm.celery"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    commands = {
        "web": [
            *("granian", "--interface", "asginl", "--no-ws"),
            *("--host", host, "--port", str(port), "--workers", str(WEB_WORKERS)),
            *("--respawn-failed-workers", "crm.asgi:application"),
        ],
        "worker": [
            *(*celery, "worker", "--loglevel", "INFO", *quiet),
            *("--pool", "prefork", "--concurrency", str(TASK_WORKERS)),
            # A fixed name: a restarted worker is the same one.
            *("--hostname", "apropos@worker"),
        ],
        # Beat's state is in the database: no file to go stale.
        "beat": [*celery, "beat", "--loglevel", "INFO", "--pidfile", ""],
        "sandbox": [
            *("notifications.sandbox", "--port", str(sandbox_port)),
            *("--log", str(settings.SANDBOX_LOG)),
        ],
    }
    if not settings.SANDBOX or not has_module("notifications.sandbox.__main__"):
        del commands["sandbox"]
    return [
        {
            "name": name,
            "command": [sys.executable, "-m", *command],
            "environment": PAGELESS if name in ("worker", "beat") else {},
            "log": str(Path(settings.LOG_DIR) / f"{name}.log"),
        }
        for name, command in commands.items()
    ]


def has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def become_supervisor(spec: dict[str, Any]) -> None:
    """By a pipe, since arguments can be read by everybody on the machine."""
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        json.dump(spec, pipe)
    for descriptor in (reading, spec["up_fd"]):
        os.set_inheritable(descriptor, True)
    os.chdir(settings.BASE_DIR)
    sys.stdout.flush()
    module = [*BARE_PYTHON, "-m", "crm.embedded.supervisor", str(reading)]
    os.execv(sys.executable, module)
