"""`up` as a person meets it: whole processes, killed and told wrong things."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 120
HIDDEN = ("DATABASE_URL", "BROKER_URL", "SITE_URL", "DATA_DIR", "SANDBOX_PORT")


class Up:
    """One running `up` with a data directory of its own."""

    def __init__(
        self, data: Path, *, checkout: Path = CHECKOUT, arguments: Sequence[str] = ()
    ) -> None:
        self.data = data
        self.port = find_free_port()
        self.log = open(data / "up.out", "w+")  # noqa: SIM115 - closed in stop
        self.process = subprocess.Popen(
            [*manage(checkout), "up", "--empty", "--port", str(self.port), *arguments],
            cwd="/",
            env=build_environment(data),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    @property
    def output(self) -> str:
        return (self.data / "up.out").read_text()

    def wait_until_ready(self) -> Up:
        wait_until(lambda: "Ctrl-C" in self.output or self.process.poll() is not None)
        assert "Ctrl-C stops all of it" in self.output, self.output
        return self

    def find(self, pattern: str) -> list[int]:
        """Live processes of this `up`, by what stands in their command line."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes()
                ours = f"DATA_DIR={self.data}\0".encode() in environment
                if ours and re.search(pattern, command):
                    found.append(int(entry.name))
        return found

    def fetch_status(self) -> int:
        address = f"http://127.0.0.1:{self.port}/admin/login/"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return int(answer.status)


def manage(checkout: Path) -> list[str]:
    return [sys.executable, str(checkout / "manage.py")]


def build_environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: v for name, v in os.environ.items() if name not in HIDDEN}
    return {**kept, "DATA_DIR": str(data), "BROKER_URL": "pgmq://", **more}


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(
    condition: Callable[[], object], *, timeout_s: float = READY_TIMEOUT_S
) -> bool:
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def data() -> Iterator[Path]:
    """Where the database's account may enter, unlike pytest's own directories."""
    directory = Path(tempfile.mkdtemp(prefix="apropos-up-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def start_up(data: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(directory: Path = data, **options: Path) -> Up:
        up = Up(directory, **options)
        started.append(up)
        return up

    yield start
    for up in started:
        up.process.terminate()
        up.process.wait(timeout=40)
        up.log.close()


def run_up(data: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [*manage(CHECKOUT), "up", *arguments],
        env=build_environment(data, **environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # Said to root, and no fault.
    warning = "Running as root: an ordinary user is safer.\n"
    return done.returncode, done.stderr.replace(warning, "")


def test_up_serves_the_admin_and_stops_without_a_rest(
    start_up: Callable[..., Up], data: Path
) -> None:
    up = start_up().wait_until_ready()
    assert up.fetch_status() == 200
    assert re.search(r"Login +admin / \S{12,}", up.output)
    assert f"http://localhost:{up.port}/sandbox/" in up.output
    for name in ("granian", "crm.celery worker", "crm.celery beat", "bin/postgres"):
        assert wait_until(lambda name=name: up.find(name), timeout_s=20), name

    started = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=30) == 0
    assert time.monotonic() - started < 20
    assert up.find(".") == []
    assert (
        "database system is shut down" in (data / "postgres/postgres.log").read_text()
    )


def test_up_serves_https_by_a_certificate_of_its_own(
    start_up: Callable[..., Up], data: Path
) -> None:
    port = find_free_port()
    start_up(arguments=["--tls", "--tls-port", str(port)]).wait_until_ready()
    trusting = ssl.create_default_context(cafile=str(data / "postgres/tls.crt"))
    address = f"https://localhost:{port}/healthz"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(address, context=trusting) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError as error:
            # Not listening yet; a certificate that does not fit is a failure.
            if not isinstance(error.reason, ConnectionError):
                raise
            return False

    assert wait_until(answers, timeout_s=20)


def test_a_killed_up_leaves_nothing_behind_and_loses_nothing(
    start_up: Callable[..., Up], data: Path
) -> None:
    up = start_up().wait_until_ready()
    up.process.kill()
    up.process.wait()
    assert wait_until(lambda: not up.find("."), timeout_s=25), up.find(".")
    assert (
        "database system is shut down" in (data / "postgres/postgres.log").read_text()
    )
    again = start_up().wait_until_ready()
    assert again.fetch_status() == 200
    assert "recovery" not in (data / "postgres/postgres.log").read_text()


@pytest.mark.parametrize("name", ["granian", "crm.celery worker", "crm.celery beat"])
def test_a_killed_child_comes_back(start_up: Callable[..., Up], name: str) -> None:
    up = start_up().wait_until_ready()
    assert wait_until(lambda: up.find(name), timeout_s=20)
    first = set(up.find(name))
    # The leader, which has the lowest number: its workers go with it.
    os.kill(min(first), signal.SIGKILL)
    assert wait_until(lambda: set(up.find(name)) - first, timeout_s=20)
    assert wait_until(lambda: not set(up.find(name)) & first, timeout_s=20)
    assert up.process.poll() is None


def test_a_killed_database_comes_back(start_up: Callable[..., Up]) -> None:
    up = start_up().wait_until_ready()
    os.kill(min(up.find("crm.embedded.keeper")), signal.SIGKILL)
    assert wait_until(lambda: not up.find("crm.embedded.keeper"), timeout_s=20)
    assert wait_until(lambda: up.find("bin/postgres"), timeout_s=40)
    assert wait_until(lambda: up.fetch_status() == 200, timeout_s=20)


def test_a_second_up_on_the_same_data_ends_with_one_line(
    start_up: Callable[..., Up], data: Path
) -> None:
    start_up().wait_until_ready()
    code, complaint = run_up(data, "--port", str(find_free_port()))
    assert code == 1
    assert complaint == f"CommandError: Apropos is already up on {data}/postgres\n"


def test_a_second_clone_works_beside_it(
    start_up: Callable[..., Up], tmp_path_factory: pytest.TempPathFactory, data: Path
) -> None:
    clone = data / "clone"
    subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(clone)], check=True)
    (clone / ".venv").symlink_to(CHECKOUT / ".venv")
    beside = data / "beside"
    beside.mkdir(mode=0o755)
    first = start_up().wait_until_ready()
    second = start_up(beside, checkout=clone).wait_until_ready()
    assert (first.fetch_status(), second.fetch_status()) == (200, 200)


@pytest.mark.parametrize(
    ("_case", "environment", "complaint"),
    [
        (
            "nobody listens at DATABASE_URL",
            {"DATABASE_URL": "postgres://u@127.0.0.1:1/x"},
            "CommandError: cannot use the database: ",
        ),
        (
            "no such kind of database",
            {"DATABASE_URL": "mysql://u@127.0.0.1/x"},
            "Apropos cannot start: DATABASE_URL must look like ",
        ),
        (
            "a data directory under a file",
            {"DATA_DIR": "/dev/null/here"},
            "Apropos cannot start: cannot use the data directory: ",
        ),
    ],
)
def test_a_wrong_setting_stops_up_with_one_line(
    _case: str, environment: dict[str, str], complaint: str, data: Path
) -> None:
    code, error = run_up(data, "--port", str(find_free_port()), **environment)
    assert code == 1
    assert error.startswith(complaint)
    assert error.count("\n") == 1


def test_a_taken_port_stops_up_with_one_line(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, error = run_up(data, "--port", str(port))
    assert code == 1
    assert error == (
        f"CommandError: cannot listen on 127.0.0.1:{port}: Address already in use "
        "(choose with --port)\n"
    )


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_an_impossible_port_stops_up_with_one_line(port: str, data: Path) -> None:
    code, error = run_up(data, f"--port={port}")
    assert code == 1
    assert error == f"CommandError: a port is 1 to 65535, not {port}\n"
