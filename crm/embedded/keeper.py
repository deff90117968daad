"""Keeps one embedded PostgreSQL alive for as long as anyone uses it.

A process of its own, standard library only. Every user of the server holds the users'
lock shared; the kernel frees it even when the user is killed. So the moment this
process gets that lock alone, nobody is left, and the server is stopped (fast, with a
checkpoint: nothing is lost).
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from crm.embedded.lifeline import bind_to_parent, ignore_terminal

# Restarts of a server that dies early, before the keeper gives up.
MAX_EARLY_DEATHS = 5
# A server that lived this long did not die early.
SETTLED_S = 30.0
# A fast shutdown that takes longer is turned into an immediate one (crash-safe).
STOP_TIMEOUT_S = 60.0


class Keeper:
    """Starts the server, restarts it when it dies, stops it when nobody is left."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.stopping = threading.Event()
        self.server: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self.on_terminate)
        ignore_terminal()
        threading.Thread(target=self.wait_until_unused, daemon=True).start()
        early_deaths = 0
        while not self.stopping.is_set():
            clear_stale_pid(Path(self.config["data"]))
            started = time.monotonic()
            self.server = self.start()
            if self.stopping.is_set():
                self.interrupt()
            self.server.wait()
            lived_s = time.monotonic() - started
            early_deaths = 0 if lived_s > SETTLED_S else early_deaths + 1
            if early_deaths >= MAX_EARLY_DEATHS:
                return 1
            self.stopping.wait(0.2 * 2**early_deaths)
        return 0

    def start(self) -> subprocess.Popen[bytes]:
        config = self.config
        with open(config["log"], "ab") as log:
            return subprocess.Popen(
                config["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=bind_to_parent(signal.SIGINT),
                **config["account"],
            )

    def wait_until_unused(self) -> None:
        users = os.open(self.config["users_lock"], os.O_RDWR)
        fcntl.flock(users, fcntl.LOCK_EX)
        self.stop()

    def on_terminate(self, number: int, frame: FrameType | None) -> None:
        threading.Thread(target=self.stop, daemon=True).start()

    def stop(self) -> None:
        self.stopping.set()
        self.interrupt()
        time.sleep(STOP_TIMEOUT_S)
        if self.server is not None:
            self.server.send_signal(signal.SIGQUIT)

    def interrupt(self) -> None:
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)


def clear_stale_pid(data: Path) -> None:
    """Removes a dead server's pid file, which PostgreSQL takes for a live one when
    some other process got the number. Waits for a server that is still stopping."""
    path = data / "postmaster.pid"
    if not Path("/proc/self/cwd").exists():
        return
    give_up_at = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < give_up_at:
        try:
            pid = int(path.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if not works_in(pid, data):
            path.unlink(missing_ok=True)
            return
        # Its keeper was killed. The kernel told it to stop; tell it again.
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)


def works_in(pid: int, data: Path) -> bool:
    """Whether process `pid` is a server of `data`. A zombie works nowhere."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    except OSError:
        return False


def main() -> int:
    config = json.loads(sys.argv[1])
    lock = os.open(config["keeper_lock"], os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Another keeper has the server; whoever started this one only waits for it.
        return 0
    return Keeper(config).run()


if __name__ == "__main__":
    sys.exit(main())
