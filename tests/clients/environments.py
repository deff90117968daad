"""Installs a published client in an environment of its own, and runs scripts there.

Kept in the user's cache and reused; nothing of the product can be imported there.
Where no registry answers the test is skipped; any other fault of an install fails.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
INSTALL_S = 240
RUN_S = 90
# How pip and npm say that nobody answers; any other failure is a failure.
UNREACHABLE = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError"
    "|Failed to establish a new connection|Connection refused|Read timed out"
    "|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ECONNRESET"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script said; `code` is its exit code."""

    code: int
    output: str
    errors: str

    def read_json(self) -> Any:
        """The last line of the output."""
        assert self.code == 0, self.output + self.errors
        return json.loads(self.output.strip().splitlines()[-1])


@dataclass(frozen=True, slots=True)
class Environment:
    """Where some packages are installed; `command` runs a script there."""

    home: Path
    command: tuple[str, ...]
    # Of a script that is given as text: ES modules in Node.
    suffix: str

    def run(self, script: Path | str, **said: str) -> Outcome:
        """Run a script, or the text of one, with `said` as its only environment.

        It stands inside `home`, so that Node finds the packages from there.
        """
        text = script if isinstance(script, str) else script.read_text("utf-8")
        suffix = script.suffix if isinstance(script, Path) else self.suffix
        with tempfile.TemporaryDirectory(dir=self.home) as place:
            path = Path(place) / f"script{suffix}"
            path.write_text(text, encoding="utf-8")
            done = subprocess.run(
                [*self.command, str(path)],
                env={"PATH": os.environ["PATH"], "HOME": place, **said},
                capture_output=True,
                text=True,
                timeout=RUN_S,
                check=False,
            )
        return Outcome(done.returncode, done.stdout, done.stderr)


def install_python(*packages: str) -> Environment:
    """A virtual environment with these pinned packages and what they need."""
    home = find_home("python", packages)
    python = home / "bin" / "python"
    with installing(home) as needed:
        if needed:
            run_install([sys.executable, "-m", "venv", str(home)])
            run_install([str(python), "-m", "pip", "install", "-q", *packages])
    return Environment(home, (str(python), "-I"), ".py")


def install_node(*packages: str) -> Environment:
    """A prefix with these pinned packages; `require` and `import` find them."""
    if shutil.which("npm") is None:
        give_up("no npm here (Debian: apt install nodejs npm)")
    home = find_home("node", packages)
    with installing(home) as needed:
        if needed:
            home.mkdir(parents=True)
            (home / "package.json").write_text('{"private": true}')
            options = ["--no-audit", "--no-fund", "--ignore-scripts"]
            run_install(["npm", "install", *options, *packages], cwd=home)
    return Environment(home, ("node",), ".mjs")


def find_home(kind: str, packages: Sequence[str]) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    words = " ".join([sys.version.split()[0], *sorted(packages)])
    digest = hashlib.sha256(words.encode()).hexdigest()[:16]
    return cache / "apropos-clients" / f"{kind}-{digest}"


@contextmanager
def installing(home: Path) -> Iterator[bool]:
    """Whether it is to be installed; the tests' processes do it one at a time."""
    home.parent.mkdir(parents=True, exist_ok=True)
    done = home / ".complete"
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            yield False
            return
        shutil.rmtree(home, ignore_errors=True)
        yield True
        done.touch()


def run_install(command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"the registry did not answer in {INSTALL_S} s")
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    if UNREACHABLE.search(said):
        pytest.skip(f"the registry can not be reached: {said[-200:]}")
    pytest.fail(f"{command[-1]} was not installed: {said[-2_000:]}")


def give_up(reason: str) -> None:
    """Skip; in CI a skip would hide that nothing was proven."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
