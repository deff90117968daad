from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FERNET = "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="
SERVER = "postgres://nobody@127.0.0.1:1/apropos"
OURS = ("DATABASE_URL", "DATA_DIR", "SECRET_KEY", "ENCRYPTION_KEY", "BROKER_URL")
OURS += ("SECOND_FACTOR",)


def run_settings(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess:
    """The settings alone, in a process with nothing but `environment` of ours."""
    inherited = {name: v for name, v in os.environ.items() if name not in OURS}
    program = (
        "import pathlib, django.conf, crm.embedded.cluster;"
        "from django.core.exceptions import ImproperlyConfigured\n"
        "try:\n    import crm.settings as s\n"
        "except ImproperlyConfigured as error:\n    raise SystemExit(str(error))\n"
        "print(s.SECRET_KEY, s.ENCRYPTION_KEYS[0], s.DATABASES['default']['HOST'],"
        "s.SECOND_FACTOR)"
    )
    # An empty value hides what a developer's .env says.
    hidden = {"SECRET_KEY": "", "ENCRYPTION_KEY": "", "DATA_DIR": str(tmp_path)}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=CHECKOUT,
        env={**inherited, **hidden, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_embedded_default_makes_its_secrets_and_keeps_them(tmp_path: Path) -> None:
    first, second = run_settings(tmp_path), run_settings(tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.split()[2] == str(tmp_path / "postgres" / "run")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "off"),
        ({"SECOND_FACTOR": "required"}, "required"),
        ({"DATABASE_URL": SERVER}, "required"),
        ({"DATABASE_URL": SERVER, "SECOND_FACTOR": "off"}, "off"),
    ],
)
def test_the_second_factor_is_required_beside_a_database_of_yours(
    environment: dict[str, str], expected: str, tmp_path: Path
) -> None:
    secrets = {"SECRET_KEY": "x", "ENCRYPTION_KEY": FERNET}
    done = run_settings(tmp_path, **secrets, **environment)
    assert done.stdout.split()[-1] == expected, done.stderr


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from a file\n")
    done = run_settings(tmp_path, SECRET_KEY_FILE=str(secret))
    assert done.stdout.startswith("from a file ")


@pytest.mark.parametrize(
    ("_case", "environment", "complaint"),
    [
        (
            "no secret beside a server of yours",
            {"DATABASE_URL": SERVER},
            "SECRET_KEY is required where DATABASE_URL is set",
        ),
        (
            "no secret without DEBUG",
            {"DEBUG": "0"},
            "SECRET_KEY is required where DATABASE_URL is set or DEBUG is off",
        ),
        (
            "no encryption key beside a server of yours",
            {"DATABASE_URL": SERVER, "SECRET_KEY": "x"},
            "ENCRYPTION_KEY is required",
        ),
        (
            "a key that is no key",
            {"ENCRYPTION_KEY": "short"},
            "ENCRYPTION_KEY must be Fernet keys",
        ),
        (
            "a database of another kind",
            {"DATABASE_URL": "mysql://x", "SECRET_KEY": "x", "ENCRYPTION_KEY": FERNET},
            "DATABASE_URL must look like postgres://",
        ),
        (
            "a port that is no number",
            {
                "DATABASE_URL": "postgres://a@b:port/c",
                "SECRET_KEY": "x",
                "ENCRYPTION_KEY": FERNET,
            },
            "DATABASE_URL: ",
        ),
        (
            "a broker of another kind",
            {"BROKER_URL": "kafka://x"},
            "BROKER_URL must start with one of pgmq://",
        ),
        (
            "a second factor of another kind",
            {"SECOND_FACTOR": "on"},
            "SECOND_FACTOR must be one of off, required, not 'on'",
        ),
        (
            "a secret file that is not there",
            {"SECRET_KEY_FILE": "/nowhere/secret"},
            "SECRET_KEY_FILE: cannot read /nowhere/secret",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    _case: str, environment: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    done = run_settings(tmp_path, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith(complaint)
    assert done.stderr.count("\n") == 1
