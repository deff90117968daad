"""The documentation says what the code says."""

from __future__ import annotations

import re
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
