"""CPU time of other processes of this machine, as Linux counts it.

A wall clock says little where others use the cores too; this says what our own
processes took.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psycopg

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat after the name: parent, user and system ticks.
PARENT, USER, SYSTEM = 1, 11, 12


def read_stat(pid: int | str) -> list[str]:
    """Empty where the process is gone, or is not on this machine."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rsplit(")", 1)[1].split()


def read_cpu_s(pids: Iterable[int]) -> float:
    """Seconds that these processes took since they began."""
    stats = [stat for stat in map(read_stat, pids) if stat]
    return sum(int(s[USER]) + int(s[SYSTEM]) for s in stats) / TICKS_PER_S


def list_descendants(pid: int) -> list[int]:
    """A process with its children and theirs."""
    family = {pid}
    # Younger ones mostly have greater numbers; twice finds those that do not.
    for _ in range(2):
        for entry in sorted(int(p.name) for p in Path("/proc").glob("[0-9]*")):
            stat = read_stat(entry)
            if stat and int(stat[PARENT]) in family:
                family.add(entry)
    return sorted(family)


def list_backends(url: str) -> list[int]:
    """PostgreSQL's processes that served the web workers."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return [pid for (pid,) in rows]
