"""The product's own Python files, read once."""

from __future__ import annotations

import ast
import functools
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
APPS = ("crm", "preferences", "segments", "notifications")


@functools.cache
def list_modules() -> tuple[Path, ...]:
    """Relative paths of product code; migrations are written by Django."""
    found = sorted(path for app in APPS for path in (ROOT / app).rglob("*.py"))
    return tuple(p.relative_to(ROOT) for p in found if "migrations" not in p.parts)


@functools.cache
def parse_module(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def list_functions(
    path: Path,
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(parse_module(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path}:{node.name}", node


def list_imports(path: Path) -> set[str]:
    """Full names: `from a import b` is both a and a.b."""
    names: set[str] = set()
    for node in ast.walk(parse_module(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def list_method_calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Calls like `x.y()`, with the name y."""
    for node in ast.walk(parse_module(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


@functools.cache
def read_pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def list_pure_modules() -> list[str]:
    """Module and package names of the contract on pure modules."""
    contracts = read_pyproject()["tool"]["importlinter"]["contracts"]
    pure = [c for c in contracts if c["name"].startswith("Pure modules")]
    assert len(pure) == 1
    return list(pure[0]["source_modules"])


def find_pure_files() -> list[Path]:
    names = tuple(list_pure_modules())
    return [
        path
        for path in list_modules()
        for name in [".".join(path.with_suffix("").parts)]
        if name in names or name.startswith(tuple(f"{n}." for n in names))
    ]


@functools.cache
def list_tracked() -> tuple[str, ...]:
    """Files in git; none outside a clone."""
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return tuple(done.stdout.splitlines())
