"""Contacts a second from a file, against one COPY of the same rows.

    python tests/bench/imports.py [--scale small|full] [--json]

A CSV file of people with an id, an e-mail, a first name, a plan and a number, all of
them new, is sent, checked and imported by one process: reading, judging, identifiers,
contacts, a pending row each, and what an undo needs. Then the same file again, of
people of whom nothing changes but when it was said; then with one value changed.
`copy_per_s` is one COPY of the contacts' rows alone into the same table with
its indexes, emptied: no identifiers, no pending rows, nothing read.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from common import open_scratch, run_bench

SCALES = {"small": 100_000, "full": 1_000_000}
PLANS = ("free", "free", "pro", "team")
COLUMNS = (
    "id, uuid, external_id, email, phone, traits, traits_at, locale, time_zone, "
    "known_since, created_at, updated_at"
)


def make_file(count: int, *, visits: int) -> io.BytesIO:
    lines = ["id,email,first_name,plan,visits"]
    lines += [
        f"bench-{n},p{n}@example.com,Name{n % 500},{PLANS[n % 4]},{n % 90 + visits}"
        for n in range(count)
    ]
    return io.BytesIO("\n".join(lines).encode())


def take(file: io.BytesIO, start: Callable[..., Any]) -> tuple[float, Any]:
    """Seconds of a check or a run, from the press of its button, and the job."""
    from django.utils import timezone

    from crm.imports.jobs import start_import
    from crm.imports.run import claim_this, work_on

    now = timezone.now()
    job = start_import(file, kind="contacts", name="bench.csv", actor="bench", at=now)
    begun = time.perf_counter()
    work_on(claim_this(start(job, actor="bench", at=now)))
    spent = time.perf_counter() - begun
    job.refresh_from_db()
    return spent, job


def copy_contacts() -> float:
    """Seconds of one COPY of what stands, into the table emptied of it."""
    from django.db import connection, transaction

    raw = io.BytesIO()
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY crm_contact ({COLUMNS}) TO STDOUT") as copy:
            for piece in copy:
                raw.write(piece)
        cursor.execute("TRUNCATE crm_contact CASCADE")
        begun = time.perf_counter()
        with (
            transaction.atomic(),
            cursor.copy(f"COPY crm_contact ({COLUMNS}) FROM STDIN") as copy,
        ):
            copy.write(raw.getvalue())
        return time.perf_counter() - begun


def measure(count: int) -> dict[str, Any]:
    with open_scratch():
        from crm.imports.jobs import start_check, start_run

        check_s, _ = take(make_file(count, visits=0), start_check)
        new_s, new = take(make_file(count, visits=0), start_run)
        same_s, same = take(make_file(count, visits=0), start_run)
        changed_s, changed = take(make_file(count, visits=1), start_run)
        found = new.rows_new, same.rows_same, changed.rows_changed
        if found != (count, count, count):
            raise SystemExit(f"lost rows: {found}")
        copy_s = copy_contacts()
    return {
        "import_per_s": round(count / new_s),
        "import_same_per_s": round(count / same_s),
        "import_changed_per_s": round(count / changed_s),
        "import_check_per_s": round(count / check_s),
        "copy_per_s": round(count / copy_s),
        "import_x_copy": round(copy_s / new_s, 2),
        "import_changed_x_copy": round(copy_s / changed_s, 2),
    }


if __name__ == "__main__":
    run_bench(__doc__, SCALES, measure)
