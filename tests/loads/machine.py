"""Whose the processor was: a site that others keep waiting is slow by no fault."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

TICK = os.sysconf("SC_CLK_TCK")
# user, nice, system, irq, softirq, steal: the columns of /proc/stat that are work.
BUSY = (1, 2, 3, 6, 7, 8)


@dataclass(slots=True)
class MachineWatch:
    """Processor seconds of the site (by process group), of its database and of this
    process, against all that the machine worked, while it is open."""

    groups: list[int]
    ours_s: float = 0.0
    busy_s: float = 0.0
    lasted_s: float = 0.0
    _begun: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))

    def __enter__(self) -> MachineWatch:
        self._begun = self._read()
        return self

    def __exit__(self, *error: object) -> None:
        before, after = self._begun, self._read()
        deltas = (b - a for a, b in zip(before, after, strict=True))
        self.ours_s, self.busy_s, self.lasted_s = deltas

    def _read(self) -> tuple[float, float, float]:
        ours = [os.getpid(), *list_group_members(self.groups), *list_backends()]
        return sum(map(read_used_s, ours)), read_busy_s(), time.monotonic()

    @property
    def others_share(self) -> float:
        """Of all processors, what neither the site nor its client used."""
        all_s = self.lasted_s * (os.cpu_count() or 1)
        return max(0.0, self.busy_s - self.ours_s) / all_s

    def __str__(self) -> str:
        load = "/".join(f"{one:.1f}" for one in os.getloadavg())
        return (
            f"{self.ours_s:.1f} s of processor in {self.lasted_s:.1f} s, "
            f"others had {self.others_share:.0%} of the machine (load {load})"
        )


def read_busy_s() -> float:
    columns = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(columns[place]) for place in BUSY) / TICK


def read_used_s(pid: int) -> float:
    fields = read_stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK if fields else 0.0


def read_stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything; [] where it is gone."""
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return text.rsplit(")", 1)[1].split()
    return []


def list_group_members(groups: Iterable[int]) -> list[int]:
    wanted = set(groups)
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids if (s := read_stat(pid)) and int(s[2]) in wanted]


def list_backends() -> list[int]:
    """The database's processes for us; none of ours where it is another machine's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        )
        return [pid for (pid,) in cursor.fetchall()]
