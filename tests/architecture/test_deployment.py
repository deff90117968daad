"""What a deployment asks Django itself."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.architecture.source import ROOT

PRODUCTION = {
    "DEBUG": "0",
    "SANDBOX": "0",
    # What it is there by default; the tests' own environment says off.
    "SECOND_FACTOR": "required",
    # The tests' own keys are as short as their life.
    "SECRET_KEY": "a-key-of-fifty-and-more-characters-made-for-one-check-9fJ2",
    "SITE_URL": "https://crm.example.com",
    "ALLOWED_HOSTS": "crm.example.com",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
}


def test_a_production_environment_passes_the_deployment_check() -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DJANGO_")}

    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**inherited, **PRODUCTION, "APROPOS_NO_BOOTSTRAP": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
