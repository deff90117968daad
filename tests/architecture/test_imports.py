"""Who may import whom: the contracts of pyproject.toml, and what they cannot say."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.source import (
    APPS,
    ROOT,
    find_pure_files,
    list_imports,
    list_method_calls,
    list_modules,
    list_pure_modules,
    read_pyproject,
)

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
# What reads a clock or rolls dice. Pure code takes both as arguments.
CLOCKS = {
    "django.utils.timezone",
    "os.urandom",
    "random",
    "secrets",
    "time.monotonic",
    "time.perf_counter",
    "time.time",
    "uuid.uuid1",
    "uuid.uuid4",
}
CLOCK_METHODS = {"now", "today", "utcnow", "uuid4", "monotonic", "perf_counter"}


def test_every_import_contract_is_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_app_has_a_contract_in_which_every_module_is_placed() -> None:
    contracts = read_pyproject()["tool"]["importlinter"]["contracts"]
    layered = {c["containers"][0]: c for c in contracts if "containers" in c}

    assert set(layered) == set(APPS)
    assert all(contract["exhaustive"] for contract in layered.values())


def test_pure_modules_are_the_ones_that_mypy_checks_strictly() -> None:
    overrides = read_pyproject()["tool"]["mypy"]["overrides"]
    strict = [o["module"] for o in overrides if o.get("disallow_untyped_defs")]

    assert len(strict) == 1
    assert [name.removesuffix(".*") for name in strict[0]] == list_pure_modules()


def test_pure_modules_read_no_clock_and_roll_no_dice() -> None:
    faults = []
    for path in find_pure_files():
        faults += [f"{path}: imports {n}" for n in list_imports(path) & CLOCKS]
        faults += [
            f"{path}:{node.lineno}: calls {name}()"
            for name, node in list_method_calls(path)
            if name in CLOCK_METHODS
        ]

    assert faults == []


def test_product_code_uses_no_django_signals() -> None:
    faults = [
        f"{path}: {name}"
        for path in list_modules()
        for name in list_imports(path)
        if name.startswith("django.") and ("signals" in name or "dispatch" in name)
    ]

    assert faults == []


def test_no_task_is_given_a_time_or_called_from_domain_code() -> None:
    """Doorbells are rung by name, at the edges; what is due stands in a column."""
    edges = {"api", "admin", "management", "demo", "tasks", "worker"}
    faults = []
    for path in list_modules():
        if "crm.bell.ring" in {name[:13] for name in list_imports(path)}:
            faults += [] if path.with_suffix("").parts[1] in edges else [str(path)]
        for name, node in list_method_calls(path):
            if name in {"delay", "apply_async", "retry"} or (
                name == "send_task" and str(path) != "crm/bell.py"
            ):
                faults.append(f"{path}:{node.lineno}: {name}()")
            if name == "send_task":
                timed = {k.arg for k in node.keywords} & {"countdown", "eta"}
                faults += [f"{path}:{node.lineno}: {key}" for key in timed]

    assert faults == []
