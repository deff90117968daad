"""The sandbox as it runs in life: a process of its own, found by its first line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class SandboxProcess:
    url: str
    log: Path
    process: subprocess.Popen[str]


@contextmanager
def run_sandbox(log: Path, port: int = 0) -> Iterator[SandboxProcess]:
    command = [sys.executable, "-m", "notifications.sandbox"]
    command += ["--port", str(port), "--log", str(log)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        try:
            yield SandboxProcess(url, log, process)
        finally:
            process.terminate()
            process.wait(5)
