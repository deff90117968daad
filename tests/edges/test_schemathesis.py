"""G1: schemathesis against the real web server, by the document that it serves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edges.world import make_world
from tests.factories import make_api_key
from tests.server import run_server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
# Cases drawn of each operation; the coverage phase adds those of its own.
SIZES = [
    pytest.param(4, id="short"),
    pytest.param(120, id="full", marks=pytest.mark.full),
]


@pytest.mark.parametrize("examples", SIZES)
def test_the_site_answers_what_its_document_says(examples: int, tmp_path: Path) -> None:
    make_world()
    key = make_api_key("admin")
    with run_server(threads=4) as port:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"http://127.0.0.1:{port}/api/schema/",
                *("--header", f"Authorization: Bearer {key}"),
                *("--checks", ",".join(CHECKS)),
                *("--phases", "examples,coverage,fuzzing,stateful"),
                *("--max-examples", str(examples), "--seed", "1", "--no-shrink"),
                *("--workers", "2", "--generation-database", "none", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    said = done.stdout[-20_000:] + done.stderr[-2_000:]
    assert done.returncode == 0, said
    found = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert found is not None, said
    assert int(found[1].replace(",", "")) >= 50 * examples, said
