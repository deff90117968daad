"""The documentation says what the code says."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from notifications.analytics.definitions import DEFINITIONS
from notifications.models import Attempt, Delivery
from notifications.reasons import Reason
from notifications.reference import list_knobs, write_reference

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = (ROOT / "crm" / "settings.py").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Read before or beside the settings file.
OTHER_KNOBS = {"APROPOS_NO_BOOTSTRAP", "SANDBOX_PORT"}


def test_the_reference_is_what_the_code_says() -> None:
    assert write_reference(SETTINGS) == REFERENCE, (
        "stale: python3 manage.py write_reference"
    )


def test_the_reference_lists_every_setting_read_from_the_environment() -> None:
    # By another road than the generator's: every NAME in quotes after a reader.
    body = SETTINGS[SETTINGS.index("# --- Core ---") :]
    read = re.findall(r"(?:env\.\w+|read_\w+)\(\s*\"([A-Z_]+)\"", body)

    assert read
    assert {knob.name for knob in list_knobs(SETTINGS)} == set(read)
    assert [name for name in read if f"| `{name}` |" not in REFERENCE] == []


def test_the_reference_lists_every_state_reason_and_figure() -> None:
    names = [*Delivery.State, *Attempt.State, *Reason, *DEFINITIONS]

    assert [name for name in names if f"| `{name}` |" not in REFERENCE] == []


def test_the_operations_guide_names_every_setting_and_no_other() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", guide, re.M)
    told = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}

    assert told == {knob.name for knob in list_knobs(SETTINGS)} | OTHER_KNOBS


def test_the_architecture_page_shows_the_layers_of_the_contracts() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    # Modules side by side are parted by a comma: a bar would end the cell.
    rows = [
        f"| {contract['containers'][0]} | "
        f"{' · '.join(contract['layers']).replace(' | ', ', ')} |"
        for contract in told["tool"]["importlinter"]["contracts"]
        if "containers" in contract
    ]

    assert len(rows) == 4
    assert [row for row in rows if row not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_named_in_the_docs_exists(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8"))

    assert [pair for pair in named if pair[1] not in _list_tests(pair[0])] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    here = [target for target in targets if "://" not in target]

    assert [t for t in here if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_named_in_the_docs_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    suffixes = "py|toml|md|lock|yaml|html"
    named = re.findall(rf"`((?:[\w.-]+/)+[\w.-]+\.(?:{suffixes}))`", text)

    assert [name for name in named if not (ROOT / name).exists()] == []


def _list_tests(path: str) -> set[str]:
    if not (ROOT / path).exists():
        return set()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
