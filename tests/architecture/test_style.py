"""House style that tools can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import (
    APPS,
    ROOT,
    list_functions,
    list_modules,
    list_tracked,
    parse_module,
)

FUNCTION_LINES = 30
FILE_LINES = 400

# Functions that were longer than 30 lines when the limit came, by their length.
# The list may only get shorter: cut one, then take it out.
LONG_FUNCTIONS: dict[str, int] = {
    "crm/management/commands/up.py:list_children": 34,
    "notifications/campaigns/compose.py:save_template": 45,
    "notifications/campaigns/triggers.py:_plan_one": 32,
    "notifications/decisioning/facts.py:facts_for": 42,
    "notifications/delivery/retry.py:plan_next": 42,
    "notifications/demo/dataset.py:build_dataset": 32,
    "notifications/demo/load.py:_make_up_reach": 36,
    "notifications/demo/shop.py:write_campaigns": 60,
    "notifications/management/commands/demo.py:tell_crash": 33,
    "notifications/management/commands/demo.py:tell_story": 31,
    "segments/diff.py:write_diff": 31,
}
LONG_FILES: dict[str, int] = {}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["ruff", "check", "--no-cache", "."], id="ruff check"),
        pytest.param(
            ["ruff", "format", "--check", "--no-cache", "."], id="ruff format"
        ),
        pytest.param(["mypy", *APPS], id="mypy"),
    ],
)
def test_the_code_passes(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_says_what_it_owns() -> None:
    silent = [
        str(path)
        for path in list_modules()
        if path.name == "__init__.py"
        and path.parent.name not in {"management", "commands"}
        and not ast.get_docstring(parse_module(path))
    ]

    assert silent == []


def test_every_signature_is_typed() -> None:
    untyped = [
        name
        for path in list_modules()
        for name, node in list_functions(path)
        if not _is_typed(node)
    ]

    assert untyped == []


def test_no_function_grows_long() -> None:
    """Lines without the docstring: numbered steps are welcome."""
    long = {
        name: lines
        for path in list_modules()
        for name, node in list_functions(path)
        if (lines := _count_lines(node)) > FUNCTION_LINES
    }

    assert _compare_with_allowance(long, LONG_FUNCTIONS) == []


def test_no_file_grows_long() -> None:
    long = {
        str(path): lines
        for path in list_modules()
        if (lines := _count_file_lines(path)) > FILE_LINES
    }

    assert _compare_with_allowance(long, LONG_FILES) == []


def test_nothing_catches_every_exception() -> None:
    """Only OperationalError is retried; a programming error crashes loudly."""
    faults = [
        f"{path}:{node.lineno}"
        for path in list_modules()
        for node in ast.walk(parse_module(path))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type)
    ]

    assert faults == []


def test_no_text_is_marked_safe_by_hand() -> None:
    """Staff and customers write what pages show."""
    faults = [
        str(path)
        for path in list_modules()
        if "mark_safe" in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert faults == []


def test_git_holds_no_local_files() -> None:
    # Locks of uv name the hosts of registries; .env and var/ hold secrets.
    local = ("uv.lock", "pylock.toml", ".env", "secrets.json")
    faults = [
        name
        for name in list_tracked()
        if Path(name).name in local or name.startswith(("var/", ".venv/"))
    ]

    assert faults == []


def test_locks_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-test.lock"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8"), name


def _compare_with_allowance(
    found: dict[str, int], allowed: dict[str, int]
) -> list[str]:
    faults = [
        f"{name}: {lines} lines"
        for name, lines in found.items()
        if lines > allowed.get(name, 0)
    ]
    faults += [f"{name}: short again, take it off" for name in allowed.keys() - found]
    return faults


def _count_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def _is_typed(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    named += [extra for extra in (given.vararg, given.kwarg) if extra]
    return node.returns is not None and all(
        one.annotation for one in named if one.arg not in {"self", "cls"}
    )


def _count_file_lines(path: Path) -> int:
    return (ROOT / path).read_text(encoding="utf-8").count("\n")


def _catches_all(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        name is None
        or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"})
        for name in names
    )
