"""The parts of the supervisor; tests/faults/test_up.py runs the whole."""

from __future__ import annotations

import fcntl
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from crm.embedded import lifeline, supervisor

CHECKOUT = Path(__file__).resolve().parents[2]
# A leader with a worker; both ignore a polite end.
STUBBORN = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "os.fork() and print('up', flush=True); time.sleep(60)"
)


def start_stubborn_group() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_a_group_lives_as_long_as_a_worker_of_a_dead_leader_does() -> None:
    process = start_stubborn_group()
    process.kill()
    process.wait()
    assert lifeline.list_alive([process.pid]) == [process.pid]
    lifeline.signal_groups([process.pid], signal.SIGKILL)
    give_up_at = time.monotonic() + 10
    while lifeline.list_alive([process.pid]) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert lifeline.list_alive([process.pid]) == []


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    while not supervisor.has_ended(process.pid):
        time.sleep(0.02)
    assert lifeline.list_alive([process.pid]) == []
    assert process.wait() == 0


def test_the_watchdog_kills_a_stubborn_group_when_its_supervisor_is_gone() -> None:
    process = start_stubborn_group()
    watchdog = subprocess.Popen(
        [sys.executable, "-m", "crm.embedded.watchdog"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
    )
    watchdog.communicate(f"{process.pid}\n".encode(), timeout=30)
    assert watchdog.returncode == 0
    assert process.wait(timeout=10) == -signal.SIGKILL


def test_a_held_lock_is_seen_and_a_free_one_is_left_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open(path, "w") as handle:
        assert supervisor.is_locked(str(path)) is False
        fcntl.flock(handle, fcntl.LOCK_SH)
        assert supervisor.is_locked(str(path)) is True
        assert supervisor.is_locked(str(path), shared=True) is False
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert supervisor.is_locked(str(path), shared=True) is True


def test_a_log_is_cut_with_its_last_generation_kept(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with open(log, "ab") as writer:
        writer.write(b"x" * (supervisor.LOG_MAX_BYTES + 1))
        writer.flush()
        supervisor.trim_log(log)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    kept = tmp_path / "web.log.1"
    assert kept.stat().st_size == supervisor.LOG_MAX_BYTES + 1


def test_a_listener_that_speaks_no_http_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert supervisor.answers("127.0.0.1", port) is False
        thread.join()
    assert supervisor.answers("127.0.0.1", port) is False
