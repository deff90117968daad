"""Files made for a test, and imports driven to their end."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import openpyxl

from crm.imports.jobs import map_columns, start_check, start_import, start_run
from crm.imports.mapping import load_mapping, override
from crm.imports.run import claim_this, work_on
from crm.models import ImportJob

SENT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def make_csv(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def make_xlsx(*rows: Sequence[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def send_file(
    content: bytes, kind: str = "contacts", *, at: datetime = SENT, **said: Any
) -> ImportJob:
    """Uploaded and mapped: as guessed, or by words of the command line in `columns`."""
    name = said.get("name", "people.csv")
    catalog = "products" if kind == "items" else ""
    job = start_import(
        io.BytesIO(content), kind=kind, catalog=catalog, name=name, actor="ada", at=at
    )
    columns = override(load_mapping(job.mapping), kind, said.get("columns", {}))
    map_columns(
        job, columns, dates=said.get("dates", "iso"), event_name=said.get("event", "")
    )
    job.refresh_from_db()
    return job


def run_file(content: bytes, kind: str = "contacts", **said: Any) -> ImportJob:
    return finish_job(start_run(send_file(content, kind, **said), actor="ada", at=SENT))


def check_file(content: bytes, kind: str = "contacts", **said: Any) -> ImportJob:
    job = send_file(content, kind, **said)
    return finish_job(start_check(job, actor="ada", at=SENT))


def finish_job(job: ImportJob) -> ImportJob:
    work_on(claim_this(job))
    job.refresh_from_db()
    return job


def count_rows(job: ImportJob) -> tuple[int, int, int, int]:
    """new, changed, same, bad"""
    return job.rows_new, job.rows_changed, job.rows_same, job.rows_bad


def list_problems(job: ImportJob) -> list[tuple[int, str, str]]:
    rows = job.problems.order_by("line", "pk")
    return list(rows.values_list("line", "column", "code"))
