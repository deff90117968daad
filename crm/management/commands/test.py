"""`test`: the suite by pytest, on all cores. Takes pytest's arguments as they are.

`--slow` adds the slow tests, `--full` the marathons too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

CHECKOUT = Path(__file__).resolve().parents[3]
MARKERS = {"--slow": "not full", "--full": ""}


class Command(BaseCommand):
    help = "Runs the test suite; takes pytest's arguments."

    def run_from_argv(self, argv: list[str]) -> None:
        execute_pytest(argv[2:])

    def handle(self, *args: Any, **options: Any) -> None:
        execute_pytest(list(args))


def execute_pytest(arguments: list[str]) -> None:
    """Becomes pytest: its exit code and its closing line are ours.

    Called before the settings load, so that tests/environment.py comes first.
    """
    os.chdir(CHECKOUT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *translate(arguments)])


def translate(arguments: list[str]) -> list[str]:
    """pytest's arguments for ours."""
    given: list[str] = []
    for argument in arguments:
        if argument in MARKERS:
            given += ["-m", MARKERS[argument]]
        else:
            given.append(argument)
    if any(x.startswith(("-n", "--numprocesses", "--pdb")) for x in given):
        return given
    return ["-n", str(count_cores()), *given]


def count_cores() -> int:
    # xdist's own "auto" counts physical cores: one on a small cloud machine.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
