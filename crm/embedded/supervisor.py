"""The process that `up` becomes: starts the children, brings back the killed, ends all.

Standard library only; it stays small while the children do the work. Each child leads
a process group of its own, so that its workers end with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from crm.embedded.lifeline import (
    bind_to_parent,
    list_alive,
    signal_groups,
    signal_leaders,
)

# Time for the children to end in order, then for the database to close.
STOP_CHILDREN_S = 12.0
STOP_DATABASE_S = 6.0
BACKOFF_MAX_S = 30.0
HOUSE_INTERVAL_S = 5.0
# A child that lived this long starts again with the shortest back-off.
SETTLED_S = 60.0
LOG_MAX_BYTES = 20_000_000
# Deaths of the web server before its first answer that end the start.
MAX_DEATHS_BEFORE_READY = 3


@dataclass(slots=True)
class Child:
    """One supervised process. `next_start_at` is monotonic time."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    next_start_at: float = 0.0
    deaths: int = 0


@dataclass(slots=True)
class Supervisor:
    spec: dict[str, Any]
    children: list[Child]
    stopping: bool = False
    is_ready: bool = False
    watchdog: subprocess.Popen[bytes] | None = None
    wakeup: int = -1
    checked_at: float = field(default_factory=time.monotonic)

    def run(self) -> int:
        """1. Watchdog and children 2. say when the web answers 3. keep them 4. stop."""
        self.catch_signals()
        try:
            while not self.stopping:
                self.start_due()
                self.announce_when_ready()
                if self.has_failed_to_start():
                    return 1
                self.keep_house()
                self.wait(1.0 if self.is_ready else 0.05)
                self.collect_dead()
        finally:
            self.stop()
        return 0

    def catch_signals(self) -> None:
        self.wakeup, writing = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_stop)

    def on_stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            # The person insists.
            signal_groups(self.list_groups(), signal.SIGKILL)
        else:
            say(f"Stopping ({signal.Signals(number).name}) …")
        self.stopping = True

    def wait(self, seconds: float) -> None:
        """Until a signal arrives: a child's death is seen at once."""
        select.select([self.wakeup], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self.wakeup, 4096)

    def start_due(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process is None and child.next_start_at <= now:
                self.start(child)

    def start(self, child: Child) -> None:
        with open(child.log, "ab") as log:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.spec["cwd"],
                env={**os.environ, **child.environment},
                start_new_session=True,
                preexec_fn=bind_to_parent(signal.SIGTERM),
            )
        child.started_at = time.monotonic()
        self.tell_watchdog()

    def tell_watchdog(self) -> None:
        if self.watchdog is None or self.watchdog.poll() is not None:
            self.watchdog = subprocess.Popen(
                [*self.spec["bare_python"], "-m", "crm.embedded.watchdog"],
                stdin=subprocess.PIPE,
                cwd=self.spec["cwd"],
                start_new_session=True,
            )
        line = " ".join(map(str, self.list_groups())) + "\n"
        assert self.watchdog.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.watchdog.stdin.write(line.encode())
            self.watchdog.stdin.flush()

    def list_groups(self) -> list[int]:
        return [child.process.pid for child in self.children if child.process]

    def collect_dead(self) -> None:
        for child in self.children:
            if child.process and has_ended(child.process.pid):
                # Its workers first: while the leader is unreaped, no other process
                # can get the number of the group.
                signal_groups([child.process.pid], signal.SIGKILL)
                code = child.process.wait()
                self.schedule_restart(child, code)
        if self.watchdog and self.watchdog.poll() is not None:
            self.tell_watchdog()

    def schedule_restart(self, child: Child, code: int) -> None:
        now = time.monotonic()
        if now - child.started_at > SETTLED_S:
            child.deaths = 0
        delay_s = min(0.5 * 2**child.deaths, BACKOFF_MAX_S)
        child.deaths += 1
        child.process = None
        child.next_start_at = now + delay_s
        if not self.stopping:
            say(f"{child.name} ended ({code}); starting it again in {delay_s:g} s")

    def announce_when_ready(self) -> None:
        if self.is_ready or not answers(self.spec["host"], self.spec["port"]):
            return
        self.is_ready = True
        sys.stdout.write(self.spec["banner"])
        sys.stdout.flush()

    def has_failed_to_start(self) -> bool:
        web = self.children[0]
        if self.is_ready or web.deaths < MAX_DEATHS_BEFORE_READY:
            return False
        lines = web.log.read_text(errors="replace").strip().splitlines()
        say(f"Apropos cannot start: {lines[-1] if lines else ''} (log: {web.log})")
        return True

    def keep_house(self) -> None:
        """Every few seconds: the size of the logs, and a database that was killed."""
        now = time.monotonic()
        if now - self.checked_at < HOUSE_INTERVAL_S:
            return
        self.checked_at = now
        for log in self.spec["logs"]:
            trim_log(Path(log))
        if self.spec["keeper"] and not is_locked(self.spec["keeper_lock"]):
            say("the database ended; starting it again")
            subprocess.Popen(
                self.spec["keeper"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.spec["cwd"],
                start_new_session=True,
            )

    def stop(self) -> None:
        """Children in order, then the rest of their groups, then the database."""
        self.stopping = True
        groups = self.list_groups()
        signal_leaders(groups, signal.SIGTERM)
        give_up_at = time.monotonic() + STOP_CHILDREN_S
        while list_alive(groups) and time.monotonic() < give_up_at:
            self.wait(0.1)
            self.reap()
        signal_groups(groups, signal.SIGKILL)
        self.reap()
        if self.watchdog and self.watchdog.stdin:
            self.watchdog.stdin.close()
        self.leave_database()

    def reap(self) -> None:
        for child in self.children:
            if child.process:
                child.process.poll()

    def leave_database(self) -> None:
        """The keeper stops the server unless another command uses it still."""
        if self.spec["users_fd"] is None:
            return
        os.close(self.spec["users_fd"])
        give_up_at = time.monotonic() + STOP_DATABASE_S
        while is_locked(self.spec["keeper_lock"]) and time.monotonic() < give_up_at:
            time.sleep(0.1)
            # A keeper that stops its server holds the users' lock alone.
            if not is_locked(self.spec["users_lock"], shared=True):
                return


def has_ended(pid: int) -> bool:
    """Without reaping it."""
    try:
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, pid, options) is not None
    except ChildProcessError:
        return True


def is_locked(path: str, *, shared: bool = False) -> bool:
    """Whether another process holds the lock (with `shared`: holds it alone)."""
    with open(path, "a") as handle:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def answers(host: str, port: int) -> bool:
    """Whether the web server answers a request, with whatever status."""
    # By hand: http.client would double the memory of this process.
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(4) == b"HTTP"
    except OSError:
        return False


def trim_log(path: Path) -> None:
    """Keeps the last generation. Writers append, so that the cut is safe under them."""
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> int:
    with open(int(sys.argv[1])) as pipe:
        spec = json.load(pipe)
    children = [
        Child(
            name=entry["name"],
            command=entry["command"],
            environment=entry["environment"],
            log=Path(entry["log"]),
        )
        for entry in spec["children"]
    ]
    for descriptor in filter(None, (spec["users_fd"], spec["up_fd"])):
        # Ours alone: a child that kept one would keep the database running.
        os.set_inheritable(descriptor, False)
    os.environ.update(spec["environment"])
    return Supervisor(spec, children).run()


if __name__ == "__main__":
    sys.exit(main())
