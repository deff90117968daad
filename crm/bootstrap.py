"""Makes `.venv` from the hashed lock and goes on inside it. Standard library only.

The stamp in `.venv` names the locks it satisfies, so a start that has nothing to
do reads one small file and executes once (0.1 s).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
RUNTIME_LOCK = "requirements.lock"
# Runtime and development packages, so that it satisfies RUNTIME_LOCK as well.
TEST_LOCK = "requirements-test.lock"
STAMP = "apropos.stamp"
LOG = "bootstrap.log"


def enter_environment(argv: list[str]) -> None:
    """Returns inside an up-to-date `.venv`; elsewhere it executes argv again there."""
    if os.environ.get("APROPOS_NO_BOOTSTRAP") == "1":
        return
    venv = CHECKOUT / ".venv"
    lock = TEST_LOCK if argv[1:2] == ["test"] else RUNTIME_LOCK
    try:
        if not is_current(venv, lock):
            with hold_lock(CHECKOUT / "var"):
                # Another start may have done the work while this one waited.
                if not is_current(venv, lock):
                    install_lock(venv, lock)
    except OSError as error:
        sys.exit(f"Apropos cannot prepare {venv}: {error}")
    if not os.path.samefile(sys.prefix, venv):
        python = str(venv / "bin" / "python")
        os.execv(python, [python, str(CHECKOUT / "manage.py"), *argv[1:]])


def is_current(venv: Path, lock: str) -> bool:
    """Whether `venv` holds every package of `lock` for the Python it links to."""
    python = venv / "bin" / "python"
    try:
        stamp = (venv / STAMP).read_text().splitlines()
    except OSError:
        return False
    return python.exists() and {describe_python(venv), hash_lock(lock)} <= set(stamp)


def hash_lock(lock: str) -> str:
    return hashlib.sha256((CHECKOUT / lock).read_bytes()).hexdigest()


def describe_python(venv: Path) -> str:
    """`python3.12` where site-packages of that version lie; after an upgrade of the
    system's Python the link leads to a version without packages."""
    real = (venv / "bin" / "python").resolve()
    versions = sorted(path.name for path in (venv / "lib").glob("python3.*"))
    named = re.search(r"python3\.\d+$", real.name)
    if named and named.group() not in versions:
        return "another Python"
    return ",".join(versions)


@contextlib.contextmanager
def hold_lock(directory: Path) -> Iterator[None]:
    """One bootstrap per checkout at a time; the kernel frees it with the process."""
    directory.mkdir(mode=0o700, exist_ok=True)
    with open(directory / "bootstrap.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install_lock(venv: Path, lock: str) -> None:
    """1. An environment 2. the packages of `lock` 3. the stamp, written last."""
    tell("Preparing .venv (once, about half a minute) …")
    make_venv(venv)
    (venv / STAMP).unlink(missing_ok=True)
    install_packages(venv, lock)
    satisfied = [hash_lock(lock)]
    if lock == TEST_LOCK:
        satisfied.append(hash_lock(RUNTIME_LOCK))
    scratch = venv / f"{STAMP}.new"
    scratch.write_text("\n".join([describe_python(venv), *satisfied]) + "\n")
    scratch.replace(venv / STAMP)


def make_venv(venv: Path) -> None:
    python = venv / "bin" / "python"
    if python.exists() and describe_python(venv) != "another Python":
        return
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            "Python's venv module is missing; on Debian and Ubuntu: "
            f"apt install python{version}-venv"
        )
    base = getattr(sys, "_base_executable", None) or sys.executable
    run_logged(venv, [base, "-m", "venv", "--clear", str(venv)])


def install_packages(venv: Path, lock: str) -> None:
    """With uv where it can be had, with pip otherwise. Nothing is ever removed, so
    that an environment with the test packages goes on to serve `up`."""
    python = str(venv / "bin" / "python")
    requirements = ["--require-hashes", "-r", str(CHECKOUT / lock)]
    uv = find_uv(venv)
    if uv:
        install = [uv, "pip", "install", "--quiet", "--python", python]
        with contextlib.suppress(subprocess.CalledProcessError):
            run_logged(venv, [*install, *requirements])
            return
    pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    try:
        run_logged(venv, [*pip, *requirements])
    except subprocess.CalledProcessError:
        lines = (venv / LOG).read_text(errors="replace").splitlines()
        reason = next((line for line in reversed(lines) if "ERROR" in line), "")
        sys.exit(f"Installing {lock} failed: {reason} (details: {venv / LOG})")


def find_uv(venv: Path) -> str | None:
    own = venv / "bin" / "uv"
    if own.exists():
        return str(own)
    if on_path := shutil.which("uv"):
        return on_path
    pinned = pin_uv((CHECKOUT / TEST_LOCK).read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(pinned)
        requirements.flush()
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        try:
            run_logged(venv, [*pip, "--require-hashes", "-r", requirements.name])
        except subprocess.CalledProcessError:
            return None
    return str(own)


def pin_uv(lock: str) -> str:
    """The `uv==…` entry of a lock with its hashes."""
    entry = re.search(r"^uv==.*(?:\n +--hash=\S+.*)*", lock, re.MULTILINE)
    return entry.group() + "\n" if entry else ""


def run_logged(venv: Path, command: list[str]) -> None:
    """Runs a tool, its output in the log. Raises CalledProcessError."""
    environment = {**os.environ, "UV_COMPILE_BYTECODE": "1", "PYTHONNOUSERSITE": "1"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    venv.mkdir(exist_ok=True)
    with open(venv / LOG, "ab") as log:
        log.write(" ".join(command).encode() + b"\n" + done.stdout)
    done.check_returncode()


def tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
