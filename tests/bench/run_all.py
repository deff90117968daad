"""Every bench, three times over, as the table of docs/performance.md.

    python tests/bench/run_all.py [--scale small|full] [--repeat 3] [--only NAME ...]

The median of the runs stands in the table, the lowest and highest beside it; what
a bench cannot do is named, and the others go on. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the figure's JSON name, what it is, and what it is held against.

    `floor` and `goal` are numbers in the figure's own unit; None where the
    specification names none. `is_time` where less is better. What the floor is told
    of is done `at_full` scale alone: less than that holds nothing yet.
    """

    bench: str
    name: str
    text: str
    floor: float | None = None
    goal: float | None = None
    is_time: bool = False
    at_full: bool = False


LINES = (
    Line("ingest", "ingest_per_s", "events/s through `/v1/batch`"),
    Line("ingest", "ingest_x_copy", "the same against one COPY of the rows", 0.4, 0.8),
    Line("ingest", "ingest_x_copy_batch", "against a COPY and commit for each 100"),
    Line("ingest", "ingest_x_drf", "against a plain DRF view", 2.5, 4),
    Line("ingest", "request_p99_ms", "p99 of such a request of 100, ms"),
    Line("imports", "import_per_s", "contacts/s from a file", 50_000, 120_000),
    Line("imports", "import_x_copy", "against one COPY of the contacts alone"),
    Line("process", "process_per_s", "events/s processed, 1 process", 2_000, 5_000),
    Line("segments", "refresh_worst_s", "worst refresh of S1–S8, s", 4, 2, True, True),
    Line(
        "segments", "touch_10k_s", "10,000 touched, 5 segments, s", 0.5, 0.2, True, True
    ),
    Line("segments", "explain_ms", "explain one contact, ms", 50, 10, True, True),
    Line(
        "delivery",
        "plan_100k_s",
        "plan 100,000 (a tenth of the floor), s",
        3,
        1.2,
        True,
    ),
    Line("delivery", "plan_1m_s", "plan 1,000,000 deliveries, s", 30, 12, True),
    Line("delivery", "claim_per_s", "rows/s claimed, by 500", 25_000, 45_000),
    Line("delivery", "claim_batch_per_s", "rows/s claimed, by the engine's batch"),
    Line("delivery", "engine_per_s_1", "gate + send to the sandbox/s, 1 process"),
    Line("delivery", "engine_per_s_2", "gate + send to the sandbox/s, 2 processes"),
    Line("delivery", "engine_cpu_s_per_1000_1", "CPU s of the engine per 1,000 sent"),
    Line("transport", "transport_x_sdk", "transport against `send_each`", 15, 25),
    Line("transport", "transport_x_sdk_cpu", "the same in CPU time"),
    Line(
        "trigger", "trigger_p50_s", "trigger event → POST, p50, s", 1, 0.3, True, True
    ),
    Line("trigger", "trigger_p99_s", "trigger event → POST, p99, s", 5, 1, True, True),
    Line("pages", "page_worst_s", "slowest of staff's pages, s", 1, 0.3, True, True),
    Line("startup", "up_cold_s", "`manage.py up`, cold, s", 60, None, True),
    Line("startup", "up_warm_s", "`manage.py up`, warm, s", 8, None, True),
    Line("startup", "rest_mb", "memory at rest (PSS), MB", 600, None, True),
    Line("startup", "rest_cpu_pct", "CPU at rest, % of a core", 2, None, True),
)
BENCHES = tuple(dict.fromkeys(line.bench for line in LINES))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=BENCHES)
    options = parser.parse_args()
    loads = [os.getloadavg()[0]]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    faults: list[str] = []
    for turn in range(options.repeat):
        for name in options.only:
            tell(f"{name}, {turn + 1} of {options.repeat}")
            try:
                runs[name].append(run_once(name, options.scale))
            except subprocess.CalledProcessError as error:
                last = (error.stderr.strip().splitlines() or ["(no word)"])[-1]
                faults.append(f"{name}: {last}")
                tell(faults[-1])
            loads.append(os.getloadavg()[0])
    print("\n".join(format_table(runs, scale=options.scale)))
    print(f"\n{describe_run(options.scale, options.repeat, loads)}")
    for fault in faults:
        print(f"- not measured once: {fault}")
    if any(not rows for rows in runs.values()):
        sys.exit(1)


def run_once(name: str, scale: str) -> dict[str, Any]:
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", "--scale", scale]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    tell(done.stdout.splitlines()[-1])
    return figures


def format_table(runs: dict[str, list[dict[str, Any]]], *, scale: str) -> Iterator[str]:
    yield "| Figure | JSON name | Median | Lowest–highest | Floor | Goal | |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for line in LINES:
        values = [
            run[line.name] for run in runs.get(line.bench, ()) if line.name in run
        ]
        if not values:
            continue
        median = statistics.median(values)
        cells = (
            f"{line.bench}: {line.text}",
            f"`{line.name}`",
            f"**{show(median)}**",
            f"{show(min(values))}–{show(max(values))}",
            show(line.floor),
            show(line.goal),
            judge(line, median, scale=scale),
        )
        yield f"| {' | '.join(cells)} |"


def show(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.4g}"


def judge(line: Line, value: float, *, scale: str) -> str:
    """Where the figure stands; '' where nothing is asked of it."""
    sign = -1 if line.is_time else 1

    def holds(limit: float | None) -> bool:
        return limit is not None and sign * value >= sign * limit

    if line.floor is None:
        return ""
    if not holds(line.floor):
        return "**below floor**"
    if line.at_full and scale != "full":
        return "not judged at this scale"
    return "goal" if holds(line.goal) else "floor"


def describe_run(scale: str, repeat: int, loads: list[float]) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}, "
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, scale {scale}, "
        f"{repeat} runs. Load average while it ran: {min(loads):.1f} to "
        f"{max(loads):.1f} (our own processes included)."
    )


def tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
