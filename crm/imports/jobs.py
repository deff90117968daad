"""What staff do to an import: send, map, check, run, cancel, undo. One deed each.

The work itself is `run`'s; a worker takes it up when the bell rings, or by the tick.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction

from crm.imports.cells import DATE_STYLES
from crm.imports.files import (
    BLOCK,
    BadRow,
    FileRefused,
    Row,
    Sniffed,
    check_row,
    read_csv,
    read_heading,
    sniff_file,
)
from crm.imports.mapping import (
    Column,
    MappingRefused,
    check_mapping,
    dump_mapping,
    guess_mapping,
    load_mapping,
)
from crm.imports.sheets import count_rows, read_xlsx
from crm.models import Catalog, ImportJob, ImportPart
from crm.models.audit import name_actor, record_audit

State = ImportJob.State
# The task to ring for when somebody pressed a button.
BELL = settings.IMPORT_BELL_TASK
# Rows shown beside the mapping, and read to guess kinds from.
SAMPLES = 5
GUESSED_FROM = 50


class ImportRefused(ValueError):
    """The deed can not be done now; the message is for staff."""


@transaction.atomic
def start_import(
    file: BinaryIO,
    *,
    kind: str,
    name: str,
    actor: Any,
    at: datetime,
    catalog: str = "",
) -> ImportJob:
    """Keep the file in pieces and guess its columns; FileRefused where it is none.
    `catalog` is the slug of the one whose items they are."""
    check_kind(kind, catalog)
    sniffed = sniff_file(file)
    job = ImportJob.objects.create(
        kind=kind,
        catalog=catalog,
        owner=actor if hasattr(actor, "pk") else None,
        made_by=name_actor(actor),
        file_name=clean_name(name),
        size_bytes=measure_file(file),
        format=sniffed.format,
        encoding=sniffed.encoding,
        delimiter=sniffed.delimiter,
        encoding_fault=sniffed.fault,
        rows_total=guess_total(file, sniffed),
        created_at=at,
    )
    keep_parts(job, file)
    if sniffed.format == "xlsx" or sniffed.encoding:
        read_columns(job, file)
    record_audit(actor=actor, action="uploaded", on=job, changes={"kind": kind})
    return job


def guess_total(file: BinaryIO, sniffed: Sniffed) -> int | None:
    """About how many rows; None where the file does not say."""
    lines = count_rows(file) if sniffed.format == "xlsx" else sniffed.lines - 1
    return max(lines, 0) or None


def measure_file(file: BinaryIO) -> int:
    size = file.seek(0, 2)
    if size > settings.IMPORT_MAX_BYTES:
        most = settings.IMPORT_MAX_BYTES // 1024**2
        raise FileRefused(f"The file is larger than {most:,} MB: split it.")
    return size


def check_kind(kind: str, catalog: str) -> None:
    known = Catalog.objects.filter(pk=catalog).exists()
    if kind not in ImportJob.Kind.values or known != (kind == ImportJob.Kind.ITEMS):
        raise FileRefused("Choose what the file holds.")


def clean_name(name: str) -> str:
    plain = name.replace("\x00", "").encode("utf-8", "replace").decode()
    return plain[-200:] or "file"


def keep_parts(job: ImportJob, file: BinaryIO) -> None:
    file.seek(0)
    number = 0
    while block := file.read(BLOCK):
        ImportPart.objects.create(job=job, number=number, content=block)
        number += 1


@contextmanager
def open_file(job: ImportJob) -> Iterator[BinaryIO]:
    """The file as it was sent, put together on this machine until the end."""
    with tempfile.TemporaryFile() as file:
        for part in job.parts.order_by("number").iterator(chunk_size=8):
            file.write(part.content)
        file.seek(0)
        yield file


def read_rows(
    job: ImportJob, file: BinaryIO
) -> tuple[list[str], Iterator[Row | BadRow]]:
    """The heading, and every record below it that is not blank."""
    rows = (
        read_xlsx(file)
        if job.format == "xlsx"
        else read_csv(file, encoding=job.encoding, delimiter=job.delimiter)
    )
    heading = read_heading(rows)
    return heading, (check_row(row, heading) for row in rows)


def read_columns(job: ImportJob, file: BinaryIO) -> None:
    """Write heading, first rows and the guessed mapping to the job."""
    heading, rows = read_rows(job, file)
    samples: list[list[str]] = []
    for row, _ in zip(rows, range(GUESSED_FROM), strict=False):
        if isinstance(row, Row):
            samples.append([show_cell(cell) for cell in row.cells])
    job.heading, job.samples = heading, samples[:SAMPLES]
    job.mapping = dump_mapping(guess_mapping(job.kind, heading, samples))
    job.save(update_fields=["heading", "samples", "mapping"])


def show_cell(text: str) -> str:
    """A cell for a page: short, and nothing that the database refuses."""
    return text[:200].replace("\x00", "�").encode("utf-8", "replace").decode()


@transaction.atomic
def choose_encoding(job: ImportJob, encoding: str) -> None:
    """Staff say what a text is that is no UTF-8."""
    job = lock_job(job, ImportJob.OPEN)
    if encoding not in ImportJob.Encoding.values or job.format != "csv":
        raise ImportRefused("Choose one of the encodings.")
    if encoding != "latin-1" and job.encoding_fault:
        raise ImportRefused(job.encoding_fault)
    job.encoding = encoding
    job.save(update_fields=["encoding"])
    with open_file(job) as file:
        read_columns(job, file)


@transaction.atomic
def map_columns(
    job: ImportJob, columns: Sequence[Column], *, dates: str, event_name: str = ""
) -> None:
    """What each column becomes; MappingRefused with all that is wrong."""
    job = lock_job(job, ImportJob.OPEN)
    if [column.heading for column in columns] != job.heading:
        raise MappingRefused(["The columns are not those of the file."])
    if dates not in DATE_STYLES:
        raise MappingRefused(["Choose how dates are written."])
    event_name = event_name.strip()
    if len(event_name) > 200 or "\x00" in event_name:
        raise MappingRefused(["The event's name is longer than 200 characters."])
    check_mapping(job.kind, columns, event=event_name)
    job.mapping, job.dates = dump_mapping(columns), dates
    job.event_name = event_name
    # What was checked was another mapping.
    job.state = State.UPLOADED
    job.save(update_fields=["mapping", "dates", "event_name", "state"])


def start_check(job: ImportJob, *, actor: Any, at: datetime) -> ImportJob:
    """A dry run: every row is read and counted, nothing is written."""
    return begin(job, State.CHECKING, ImportJob.OPEN, actor=actor, at=at)


def start_run(job: ImportJob, *, actor: Any, at: datetime) -> ImportJob:
    return begin(job, State.RUNNING, ImportJob.OPEN, actor=actor, at=at)


@transaction.atomic
def begin(
    job: ImportJob,
    state: State,
    before: Sequence[str],
    *,
    actor: Any,
    at: datetime,
) -> ImportJob:
    job = lock_job(job, before)
    if not job.mapping:
        raise ImportRefused("Say first what the file's encoding is.")
    check_mapping(job.kind, load_mapping(job.mapping), event=job.event_name)
    job.problems.all().delete()
    job.state, job.started_at, job.finished_at = state, at, None
    job.failure, job.attempts = "", 0
    for count in ("done", "new", "changed", "same", "bad"):
        setattr(job, f"rows_{count}", 0)
    job.save()
    action = "checked" if state == State.CHECKING else "imported"
    record_audit(actor=actor, action=action, on=job, changes={"kind": job.kind})
    return job


@transaction.atomic
def cancel_import(job: ImportJob, *, actor: Any, at: datetime) -> ImportJob:
    """Stop after the chunk at hand; what was taken in stays, until it is undone."""
    job = lock_job(job, (State.CHECKING, State.RUNNING))
    was_check = job.state == State.CHECKING
    job.state = State.UPLOADED if was_check else State.CANCELED
    job.finished_at, job.lease, job.lease_until = at, None, None
    job.save(update_fields=["state", "finished_at", "lease", "lease_until"])
    record_audit(actor=actor, action="canceled", on=job)
    return job


@transaction.atomic
def start_undo(job: ImportJob, *, actor: Any, at: datetime) -> ImportJob:
    job = lock_job(job, ImportJob.UNDOABLE)
    if job.undo_until < at or job.is_forgotten:
        raise ImportRefused("It is too late: what an undo needs is deleted.")
    job.state, job.undone, job.attempts = State.UNDOING, {}, 0
    job.started_at, job.finished_at = at, None
    fields = ["state", "undone", "attempts", "started_at", "finished_at"]
    job.save(update_fields=fields)
    record_audit(actor=actor, action="undone", on=job)
    return job


def lock_job(job: ImportJob, states: Sequence[str]) -> ImportJob:
    """The row as it is now, locked, where it is in one of these states."""
    row = ImportJob.objects.select_for_update().get(pk=job.pk)
    if row.state not in states:
        raise ImportRefused(f"The import is “{row.get_state_display().lower()}” now.")
    return row


def forget_imports(*, now: datetime) -> int:
    """Files, refused rows and journals of imports that came of age are deleted."""
    old = list(ImportJob.objects.of_age(now)[:100])
    for job in old:
        with transaction.atomic():
            for rows in (job.parts, job.problems, job.touches):
                rows.all().delete()
            ImportJob.objects.filter(pk=job.pk).update(is_forgotten=True, samples=[])
    return len(old)
