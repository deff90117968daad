"""Each guard is taken away in a copy, and the test that holds it must go red.

A test that passes without its guard guards nothing. The list is the one in
docs/architecture.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from crm.embedded.postgres import attach_configured

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
COPIED = ("crm", "preferences", "segments", "notifications", "templates", "static")
FILES = ("manage.py", "pyproject.toml", "requirements-test.lock")

# Goes to the end of the copy's conftest: takes a guard of the database away once
# the tables are there.
CONFTEST = """
@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    from django.db import connection
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute({statement!r})
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """What is taken away (`old` becomes `new` in `path`, or `sql` is run), and the
    test that must then fail."""

    name: str
    test: str
    path: str = ""
    old: str = ""
    new: str = ""
    sql: str = ""


DECIDE = "notifications/decisioning/decide.py"
ELIGIBILITY = "notifications/decisioning/eligibility.py"
SENDS = "tests/notifications/delivery/test_send.py"

GUARDS = [
    Guard(
        "consent at the gate",
        f"{SENDS}::test_an_opt_out_after_planning_is_obeyed",
        path=ELIGIBILITY,
        old="    if not facts.permission_allowed:",
        new="    if False:",
    ),
    Guard(
        "lease fence",
        f"{SENDS}::test_a_worker_that_lost_its_lease_changes_nothing",
        path="notifications/delivery/finish.py",
        old="WHERE d.id = w.id AND d.lease = %s AND d.state = 'sending'",
        new="WHERE d.id = w.id AND %s::uuid IS NOT NULL",
    ),
    Guard(
        "one row per person and message",
        "tests/notifications/delivery/test_plan.py",
        sql="ALTER TABLE notifications_delivery "
        "DROP CONSTRAINT delivery_once_per_person_and_message",
    ),
    Guard(
        "frequency caps",
        f"{SENDS}::test_what_ended_unknown_counts_in_caps",
        path=DECIDE,
        old="        or _check_frequency(facts)\n",
        new="",
    ),
    Guard(
        "exit on goal",
        f"{SENDS}::test_a_purchase_just_before_the_send_cancels_the_reminder",
        path=ELIGIBILITY,
        old="    if facts.exit_reason is not None:",
        new="    if False:",
    ),
    Guard(
        "append-only ledger",
        "tests/preferences/test_consent.py"
        "::test_the_database_refuses_to_change_the_ledger",
        sql="DROP TRIGGER consent_append_only ON preferences_consentrecord",
    ),
    Guard(
        "final states",
        "tests/notifications/delivery/test_sweep.py"
        "::test_ends_are_final_but_for_two_edges",
        sql="DROP TRIGGER delivery_keeps_its_end ON notifications_delivery",
    ),
    Guard(
        "content of events",
        "tests/crm/models/test_event.py::test_the_content_of_an_event_never_changes",
        sql="DROP TRIGGER event_keeps_content ON crm_event",
    ),
    Guard(
        "keys of events",
        "tests/crm/events/test_ingest.py::test_a_repeated_message_has_no_effect",
        path="crm/events/ingest.py",
        old="    ON CONFLICT DO NOTHING RETURNING message_id\n",
        new="    ON CONFLICT (message_id) DO UPDATE SET seen_at = excluded.seen_at\n"
        "    RETURNING message_id\n",
    ),
    Guard(
        "quiet hours",
        "tests/notifications/decisioning/test_decide.py::test_decision",
        path=DECIDE,
        old="        or _check_quiet_hours(facts)\n",
        new="",
    ),
    Guard(
        "addresses of providers",
        "tests/notifications/channels/test_endpoints.py"
        "::test_any_other_address_is_refused",
        path="notifications/channels/endpoints.py",
        old="    if url == TOKEN_ENDPOINT or is_loopback(url):",
        new="    if True:",
    ),
    Guard(
        "report token",
        "tests/notifications/api/test_push_events.py"
        "::test_forged_token_and_unknown_message_get_the_same_answer",
        path="notifications/delivery/report_token.py",
        old="    return constant_time_compare(sign_report(delivery_id), token)",
        new="    return True",
    ),
]


def test_the_architecture_page_lists_these_guards() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d+ \| ([^|]+?) \|.*\| `([^`|]+)` \|$", page, re.M)

    assert listed == [(guard.name, guard.test) for guard in GUARDS]


@pytest.mark.slow
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_without_its_guard_a_test_goes_red(guard: Guard, tmp_path: Path) -> None:
    copy_product(tmp_path)
    take_away(guard, tmp_path)

    done = run_test(guard, tmp_path)

    # 1 is "tests failed"; 2 to 5 are faults of the run, or no test at all.
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"\d+ failed", done.stdout), done.stdout
    assert " error" not in done.stdout.splitlines()[-1], done.stdout


def copy_product(target: Path) -> None:
    for name in (*COPIED, "tests"):
        shutil.copytree(
            ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in FILES:
        shutil.copy(ROOT / name, target / name)


def take_away(guard: Guard, root: Path) -> None:
    if guard.sql:
        with open(root / "tests" / "conftest.py", "a", encoding="utf-8") as conftest:
            conftest.write(CONFTEST.format(statement=guard.sql))
    if guard.path:
        file = root / guard.path
        source = file.read_text(encoding="utf-8")
        assert source.count(guard.old) == 1, f"{guard.name} moved"
        file.write_text(source.replace(guard.old, guard.new), encoding="utf-8")


def run_test(guard: Guard, root: Path) -> subprocess.CompletedProcess[str]:
    """pytest in the copy, on a database of its own on the same server."""
    attach_configured()
    server = settings.DATABASES["default"]
    name = re.sub(r"\W+", "_", guard.name)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        "DATABASE_URL": f"postgres:///guard_{name}",
        "PGHOST": str(server["HOST"] or ""),
        "PGPORT": str(server["PORT"] or ""),
        "PGUSER": str(server["USER"] or ""),
        "PGPASSWORD": str(server["PASSWORD"] or ""),
        "APROPOS_NO_BOOTSTRAP": "1",
    }
    arguments = ["-q", "-p", "no:cacheprovider", "--tb=line"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, guard.test],
        cwd=root,
        env={k: v for k, v in environment.items() if v},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
