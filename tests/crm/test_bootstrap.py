from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crm import bootstrap

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = (bootstrap.RUNTIME_LOCK, bootstrap.TEST_LOCK)


@pytest.fixture
def bare_checkout(tmp_path: Path) -> Path:
    """Our entry point with nothing to install, which prints where it runs."""
    (tmp_path / "crm").mkdir()
    shutil.copy(CHECKOUT / "crm/bootstrap.py", tmp_path / "crm")
    (tmp_path / "crm/__init__.py").touch()
    for lock in LOCKS:
        (tmp_path / lock).write_text(f"# {lock}\n")
    (tmp_path / "manage.py").write_text(
        "import sys\n"
        "from crm.bootstrap import enter_environment\n"
        "enter_environment(sys.argv)\n"
        "print(sys.prefix, *sys.argv[1:])\n"
    )
    return tmp_path


def run_manage(checkout: Path, *arguments: str) -> subprocess.Popen[str]:
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": tools}
    environment.pop("APROPOS_NO_BOOTSTRAP", None)
    return subprocess.Popen(
        [find_base_python(), str(checkout / "manage.py"), *arguments],
        cwd="/",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def find_base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


def test_a_bare_machine_gets_a_venv_and_goes_on_in_it(bare_checkout: Path) -> None:
    out, err = run_manage(bare_checkout, "up", "--port", "9").communicate(timeout=120)
    assert out == f"{bare_checkout}/.venv up --port 9\n"
    assert err.startswith("Preparing .venv")


def test_a_start_with_nothing_to_do_is_quick_and_silent(bare_checkout: Path) -> None:
    run_manage(bare_checkout, "up").communicate(timeout=120)
    started = time.monotonic()
    out, err = run_manage(bare_checkout, "up").communicate(timeout=60)
    assert (out, err) == (f"{bare_checkout}/.venv up\n", "")
    assert time.monotonic() - started < 2


@pytest.mark.slow
def test_two_starts_at_once_make_one_venv(bare_checkout: Path) -> None:
    both = [run_manage(bare_checkout, "up") for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]
    assert [out for out, _ in answers] == [f"{bare_checkout}/.venv up\n"] * 2
    assert sorted(err.count("Preparing") for _, err in answers) == [0, 1]


@pytest.mark.slow
def test_a_venv_of_the_tests_serves_up_as_well(bare_checkout: Path) -> None:
    run_manage(bare_checkout, "test").communicate(timeout=120)
    out, err = run_manage(bare_checkout, "up").communicate(timeout=60)
    assert (out, err) == (f"{bare_checkout}/.venv up\n", "")


@pytest.mark.slow
def test_a_venv_of_up_is_completed_for_the_tests(bare_checkout: Path) -> None:
    run_manage(bare_checkout, "up").communicate(timeout=120)
    _, err = run_manage(bare_checkout, "test").communicate(timeout=60)
    assert err.startswith("Preparing .venv")


@pytest.mark.slow
def test_a_changed_lock_is_installed(bare_checkout: Path) -> None:
    run_manage(bare_checkout, "up").communicate(timeout=120)
    (bare_checkout / bootstrap.RUNTIME_LOCK).write_text("# another\n")
    _, err = run_manage(bare_checkout, "up").communicate(timeout=60)
    assert err.startswith("Preparing .venv")


@pytest.mark.slow
def test_an_install_that_fails_ends_with_one_line(bare_checkout: Path) -> None:
    lock = bare_checkout / bootstrap.RUNTIME_LOCK
    lock.write_text(f"apropos-no-such==1 --hash=sha256:{'0' * 64}\n")
    process = run_manage(bare_checkout, "up")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Installing requirements.lock failed: ERROR" in err
    assert "Traceback" not in err
    assert not (bare_checkout / ".venv" / bootstrap.STAMP).exists()


def test_a_python_without_venv_names_the_debian_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(SystemExit, match=f"apt install python{version}-venv"):
        bootstrap.make_venv(tmp_path / ".venv")


def test_a_venv_of_another_python_is_not_current(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib/python3.11").mkdir(parents=True)
    newer = tmp_path / "python3.12"
    newer.touch()
    (tmp_path / "bin/python").symlink_to(newer)
    assert bootstrap.describe_python(tmp_path) == "another Python"


def test_an_old_python_can_read_the_entry_point_up_to_its_refusal() -> None:
    source = (CHECKOUT / "manage.py").read_text()
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__" not in source
    assert source.index("sys.exit(") < source.index("from crm")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_hashed_and_names_no_host(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert "://" not in text
    assert "file:" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []


def test_the_test_lock_holds_the_runtime_lock() -> None:
    runtime, test = (
        set(re.findall(r"^\S+==\S+", (CHECKOUT / lock).read_text(), re.MULTILINE))
        for lock in LOCKS
    )
    assert runtime < test


def test_uv_is_pinned_with_its_hashes() -> None:
    pinned = bootstrap.pin_uv((CHECKOUT / bootstrap.TEST_LOCK).read_text())
    assert pinned.startswith("uv==")
    assert pinned.count("--hash=sha256:") > 1
    assert "==" not in pinned.removeprefix("uv==")
