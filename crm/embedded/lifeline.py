"""How processes end together. Standard library only: supervisor, watchdog and keeper
run without the dependencies, small and quick to start."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

PR_SET_PDEATHSIG = 1


def bind_to_parent(number: int) -> Callable[[], None] | None:
    """A preexec_fn: the kernel sends the child `number` when its parent dies.

    Linux only; None elsewhere, where watchdog and keeper do it alone.
    """
    if not sys.platform.startswith("linux"):
        return None
    # Looked up before the fork: the child only calls it.
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        # The parent may have died before the line above.
        if os.getppid() != parent:
            os._exit(1)

    return bind


def signal_groups(groups: Iterable[int], number: int) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def signal_leaders(groups: Iterable[int], number: int) -> None:
    """The leader ends its own workers in order; a worker told apart drops its work."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(group, number)


def list_alive(groups: Iterable[int]) -> list[int]:
    """The groups that hold a process which is no zombie."""
    return [group for group in groups if is_group_alive(group)]


def is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # Nobody may reap in a container: zombies answer to signal 0 for ever.
    states = read_group_states(group)
    return states is None or any(state != "Z" for state in states)


def read_group_states(group: int) -> list[str] | None:
    """States of the group's processes by /proc; None where there is no /proc."""
    if not Path("/proc/self/stat").exists():
        return None
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            # The name, in brackets, may hold anything: the fields follow its end.
            fields = path.read_text(errors="replace").rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                states.append(fields[0])
    return states


def ignore_terminal() -> None:
    """Ctrl-C and a closed terminal reach the supervisor alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
