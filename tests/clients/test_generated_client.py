"""The client that docs/api.md has a generator write does what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from crm.models import Event
from tests.architecture.source import ROOT
from tests.clients.conftest import Site
from tests.clients.environments import install_python
from tests.factories import make_api_key

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PAGE = (ROOT / "docs/api.md").read_text("utf-8").split("## A typed client")[1]
HOST = "https://apropos.example.com"


def find_block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_generated_client_sends_an_event_and_reads_it_back(
    site: Site, tmp_path: Path
) -> None:
    package = re.search(r"pip install (\S+?)`", PAGE)
    assert package is not None
    environment = install_python(package[1])
    command = find_block("sh").replace(HOST, site.url)
    tools = Path(environment.command[0]).parent
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=tmp_path,
        env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # What a generator cannot read, it leaves out with a warning.
    assert "WARNING" not in done.stdout + done.stderr

    text = find_block("python").replace(HOST, site.url)
    text = text.replace("YOUR_KEY", make_api_key("track", "read"))
    # Python runs isolated there, and knows no PYTHONPATH.
    said = environment.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{text}")

    assert (said.code, said.errors) == (0, "")
    first, second = said.output.splitlines()
    assert first == "1 accepted"
    assert second.endswith("Order Completed 25.0000")
    assert Event.objects.get().contact.external_id == "ada"
