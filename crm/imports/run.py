"""A worker's part: take up an import, chunk by chunk, so that any other can go on.

Each chunk is one transaction that locks the job's row, takes the rows in, and writes
how far it has come. A worker that is killed loses the chunk at hand and nothing else;
after the lease another one goes on from `rows_done`. A job that was canceled, or whose
lease somebody else has, is left alone.
"""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from django.db import (
    DataError,
    IntegrityError,
    connection,
    transaction,
)
from django.db.models import F

from crm.clock import read_clock
from crm.events.identity import IdentityRaceLost
from crm.events.retrying import retry_transaction
from crm.events.staging import TOUCHED
from crm.imports.cells import Problem
from crm.imports.contacts import People, read_people, take_contacts
from crm.imports.events import take_events
from crm.imports.files import BadRow, FileRefused, Row
from crm.imports.items import take_items
from crm.imports.jobs import open_file, read_rows
from crm.imports.mapping import load_mapping
from crm.imports.taken import ERASED, Reading, Taken
from crm.imports.undo import undo_chunk
from crm.models import Catalog, ImportJob, ImportProblem

State = ImportJob.State
CHUNK: Final = 5_000
# Of contacts, whose statements do not grow with the rows.
CHUNK_OF_PEOPLE: Final = 10_000
LEASE: Final = timedelta(minutes=3)
# A worker that began so often and brought nothing to an end: something kills it.
MAX_ATTEMPTS: Final = 5
COPY_TOUCHES: Final = """
COPY crm_importtouch (job_id, contact_id, code, made, before) FROM STDIN
"""
INSERT_TOUCHES: Final = f"""
INSERT INTO crm_importtouch (job_id, contact_id, code, made, before)
SELECT %s, contact_id, '', made, before FROM ({TOUCHED}) AS t
"""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next rows of a file; `people` of one of contacts, read already."""

    rows: Sequence[Row | BadRow]
    people: People | None = None

    @property
    def good(self) -> list[Row]:
        return [row for row in self.rows if isinstance(row, Row)]


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether there was work, and whether some is left."""

    took: bool
    is_more: bool = False


class LeaseLost(Exception):
    """The job was canceled, or another worker has it."""


def run_imports(*, budget_s: float) -> Turn:
    """Work on what there is, oldest first, until the time ends."""
    ends = time.monotonic() + budget_s
    took = False
    while time.monotonic() < ends:
        job = claim_job()
        if job is None:
            return Turn(took)
        took = True
        work_on(job, ends=ends)
    return Turn(took, ImportJob.objects.with_work(read_clock()).exists())


def claim_job() -> ImportJob | None:
    """One job with work, leased to us; None where there is none."""
    for job in ImportJob.objects.with_work(read_clock())[:5]:
        try:
            return claim_this(job)
        except LeaseLost:
            continue
    return None


def claim_this(job: ImportJob) -> ImportJob:
    """The job, leased to us by a conditional update, or LeaseLost."""
    now = read_clock()
    free = ImportJob.objects.with_work(now).filter(pk=job.pk)
    lease, until = uuid.uuid4(), now + LEASE
    if not free.update(lease=lease, lease_until=until, attempts=F("attempts") + 1):
        raise LeaseLost
    return ImportJob.objects.get(pk=job.pk)


def work_on(
    job: ImportJob,
    *,
    ends: float = float("inf"),
    tell: Callable[[ImportJob], None] = lambda job: None,
) -> None:
    """Take a claimed job as far as the time allows; `tell` hears of each chunk."""
    try:
        if job.attempts > MAX_ATTEMPTS:
            fail(job, "It stopped its worker again and again.")
        elif job.state == State.UNDOING:
            work_back(job, ends=ends, tell=tell)
        else:
            work_forward(job, ends=ends, tell=tell)
    except LeaseLost:
        return
    except FileRefused as refused:
        fail(job, str(refused))
    except DataError as error:
        fail(job, f"The database refused a row after row {job.rows_done}: {error}")


def work_forward(
    job: ImportJob, *, ends: float, tell: Callable[[ImportJob], None]
) -> None:
    with open_file(job) as file:
        _, rows = read_rows(job, file)
        rest = itertools.islice(rows, job.rows_done, None)
        for chunk in read_ahead(read_chunks(job, rest)):
            take_chunk_in(job, chunk)
            tell(job)
            if time.monotonic() >= ends:
                release(job)
                return
    finish(job, State.CHECKED if job.state == State.CHECKING else State.DONE)
    tell(job)


def read_ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks; a thread reads the next one while this one is taken in."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def read_chunks(job: ImportJob, rows: Iterable[Row | BadRow]) -> Iterator[Chunk]:
    """Asks the database nothing: it runs beside it."""
    if job.kind != ImportJob.Kind.CONTACTS:
        yield from map(Chunk, split(rows, CHUNK))
        return
    reading = read_how(job)
    for part in split(rows, CHUNK_OF_PEOPLE):
        yield Chunk(part, read_people(Chunk(part).good, reading))


def work_back(
    job: ImportJob, *, ends: float, tell: Callable[[ImportJob], None]
) -> None:
    while True:
        with transaction.atomic():
            hold(job)
            is_more = undo_chunk(job)
            job.save(update_fields=["undone"])
        tell(job)
        if not is_more:
            finish(job, State.UNDONE)
            return
        if time.monotonic() >= ends:
            release(job)
            return


def split(rows: Iterable[Row | BadRow], count: int) -> Iterator[list[Row | BadRow]]:
    rows = iter(rows)
    while part := list(itertools.islice(rows, count)):
        yield part


def take_chunk_in(job: ImportJob, chunk: Chunk) -> None:
    """One transaction, tried again where somebody else was faster."""

    def take() -> None:
        with transaction.atomic():
            hold(job)
            keep_taken(job, chunk.rows, take_rows(job, chunk))

    retry_transaction(take, also=(IdentityRaceLost, IntegrityError))
    job.refresh_from_db()


def hold(job: ImportJob) -> None:
    """Lock the job's row for this chunk and renew the lease, or LeaseLost."""
    mine = ImportJob.objects.filter(pk=job.pk, lease=job.lease, state=job.state)
    if not mine.update(lease_until=read_clock() + LEASE, attempts=0):
        raise LeaseLost


def read_how(job: ImportJob) -> Reading:
    return Reading(load_mapping(job.mapping), job.dates, job.event_name)


def take_rows(job: ImportJob, chunk: Chunk) -> Taken:
    dry = job.state == State.CHECKING
    if chunk.people is not None:
        return take_contacts(chunk.people, at=job.created_at, dry=dry)
    reading = read_how(job)
    if job.kind == ImportJob.Kind.EVENTS:
        mark = str(job.pk)
        return take_events(chunk.good, reading, at=job.created_at, dry=dry, mark=mark)
    catalog = Catalog.objects.get(pk=job.catalog)
    at = job.started_at or job.created_at
    return take_items(chunk.good, reading, catalog=catalog, at=at, dry=dry)


def keep_taken(job: ImportJob, chunk: Sequence[Row | BadRow], taken: Taken) -> None:
    """Counts, refused rows and what an undo needs, beside the rows themselves."""
    refused: list[tuple[Row | BadRow, list[Problem]]] = [
        (row, [row.problem]) for row in chunk if isinstance(row, BadRow)
    ]
    problems = [
        ImportProblem(
            job=job,
            line=row.line,
            column=problem.column,
            code=problem.code,
            message=problem.message[:500],
            cells=keep_cells(row, problem),
        )
        for row, found in [*refused, *taken.refused]
        for problem in found
    ]
    ImportProblem.objects.bulk_create(problems, batch_size=1_000)
    copy_touches(job, taken)
    ImportJob.objects.filter(pk=job.pk).update(
        rows_done=F("rows_done") + len(chunk),
        rows_new=F("rows_new") + taken.new,
        rows_changed=F("rows_changed") + taken.changed,
        rows_same=F("rows_same") + taken.same,
        rows_bad=F("rows_bad") + len(refused) + len(taken.refused),
    )


def copy_touches(job: ImportJob, taken: Taken) -> None:
    """By COPY or by one statement: there is one for each contact that was made."""
    if taken.has_staged:
        with connection.cursor() as cursor:
            cursor.execute(INSERT_TOUCHES, [job.pk])
    if not taken.touches:
        return
    encode = msgspec.json.encode
    with connection.cursor() as cursor, cursor.copy(COPY_TOUCHES) as copy:
        for one in taken.touches:
            before = encode(one.before).decode() if one.before else "{}"
            copy.write_row((job.pk, one.contact_id, one.code, one.made, before))


def keep_cells(row: Row | BadRow, problem: Problem) -> list[str]:
    """The row as the file has it; of somebody erased, nothing is kept in clear."""
    if problem.code == ERASED.code:
        return []
    return [clean_cell(cell) for cell in row.cells]


def clean_cell(text: str) -> str:
    """What the database can hold of it."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode()


def release(job: ImportJob) -> None:
    mine = ImportJob.objects.filter(pk=job.pk, lease=job.lease)
    mine.update(lease=None, lease_until=None)


def finish(job: ImportJob, state: State) -> None:
    mine = ImportJob.objects.filter(pk=job.pk, lease=job.lease, state=job.state)
    mine.update(state=state, lease=None, lease_until=None, finished_at=read_clock())
    job.refresh_from_db()


def fail(job: ImportJob, message: str) -> None:
    """What was taken in before stays, until staff undo it."""
    ImportJob.objects.filter(pk=job.pk, lease=job.lease).update(failure=message[:500])
    finish(job, State.FAILED)
