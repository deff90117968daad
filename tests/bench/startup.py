"""`manage.py up` in a fresh clone: seconds until the banner, and its cost at rest.

    python tests/bench/startup.py [--scale small|full] [--json]

The clone is of HEAD, in a temporary directory, with an embedded database of its
own. Cold: nothing is there; the environment is made, packages are downloaded (pip's
and uv's caches are off; at small scale they are used as they are), the database is
made and the sample loaded. Warm: the second start. At rest: after the sample's
messages went out, the PSS of all its processes (shared pages counted once) and the
processor time over 20 s, in per cent of one core.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import ROOT, Figures, find_free_port, run_bench  # noqa: E402

sys.path.insert(0, str(ROOT))

from crm.embedded.cluster import locate_cluster  # noqa: E402

# Whether the package caches are off; seconds left alone before measuring at rest.
SCALES = {"small": (False, 30), "full": (True, 60)}
MEASURED_S = 20
BANNER = "Apropos is running"
START_TIMEOUT_S = 600
# What would make the clone use something outside it.
OURS = ("DATABASE_", "BROKER_", "DATA_DIR", "SANDBOX", "SECRET_", "ENCRYPTION_")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def measure_startup(scale: tuple[bool, int]) -> Figures:
    without_caches, settle_s = scale
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith((*OURS, "DJANGO_", "VIRTUAL_ENV", "APROPOS_"))
    }
    if without_caches:
        environment |= {"PIP_NO_CACHE_DIR": "1", "UV_NO_CACHE": "1"}
    figures: Figures = {"without_caches": without_caches}
    with fresh_clone() as clone:
        with run_up(clone, environment) as (cold_s, _):
            figures["up_cold_s"] = round(cold_s, 1)
        with run_up(clone, environment) as (warm_s, root):
            figures["up_warm_s"] = round(warm_s, 1)
            time.sleep(settle_s)
            figures |= measure_rest(root)
        left = list_family(0, clone)
        if left:
            raise SystemExit(f"left behind: {left}")
    return figures


@contextmanager
def fresh_clone() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="apropos-bench-") as folder:
        clone = Path(folder) / "apropos"
        command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)]
        subprocess.run(command, check=True)
        try:
            yield clone
        finally:
            # Root's database lies outside the clone, in a directory of this clone's.
            base = locate_cluster(clone).base
            if base.exists() and not base.is_relative_to(clone):
                shutil.rmtree(base)


@contextmanager
def run_up(clone: Path, environment: dict[str, str]) -> Iterator[tuple[float, int]]:
    """Seconds until the banner, and the process id; stopped as Ctrl-C would."""
    command = ["python3", "manage.py", "up", "--port", str(find_free_port())]
    begun_s = time.perf_counter()
    log = clone.parent / "up.log"
    with log.open("w") as output:
        up = subprocess.Popen(
            command, cwd=clone, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for_banner(up, log)
        yield time.perf_counter() - begun_s, up.pid
    finally:
        up.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            up.wait(60)
        up.kill()
        up.wait()


def wait_for_banner(up: subprocess.Popen[bytes], log: Path) -> None:
    ends_s = time.monotonic() + START_TIMEOUT_S
    while BANNER not in log.read_text():
        if up.poll() is not None or time.monotonic() > ends_s:
            raise SystemExit(f"`up` did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def measure_rest(root: int) -> Figures:
    begun_s, before = time.perf_counter(), read_cpu_s(root)
    time.sleep(MEASURED_S)
    took_s = time.perf_counter() - begun_s
    cpu_s = read_cpu_s(root) - before
    family = list_family(root)
    return {
        "rest_mb": round(sum(read_pss_kb(pid) for pid in family) / 1024),
        "rest_cpu_pct": round(cpu_s / took_s * 100, 1),
        "processes": len(family),
    }


def list_family(root: int, clone: Path | None = None) -> list[int]:
    """A process and all below it; or all that run in a clone's directory."""
    parents: dict[int, int] = {}
    inside: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parents[int(entry.name)] = int(fields[1])
            if clone and (entry / "cwd").resolve().is_relative_to(clone):
                inside.append(int(entry.name))
    if clone:
        return inside
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family


def read_pss_kb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def read_cpu_s(root: int) -> float:
    """Processor time of the family, and of its children that ended meanwhile."""
    ticks = 0
    for pid in list_family(root):
        with suppress(OSError):
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, stat[11:15]))
    return ticks / TICKS_PER_S


if __name__ == "__main__":
    run_bench(__doc__, SCALES, measure_startup)
