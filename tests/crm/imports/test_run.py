"""Whatever happens to a worker: no row is lost, none is taken in twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from crm.imports import run
from crm.imports.files import FileRefused
from crm.imports.jobs import ImportRefused, cancel_import, map_columns, start_run
from crm.imports.mapping import load_mapping
from crm.imports.run import MAX_ATTEMPTS, claim_job, claim_this, run_imports, work_on
from crm.models import Contact, ImportJob
from tests.crm.imports.files import SENT, count_rows, make_csv, send_file

PEOPLE = make_csv("id,plan", *(f"u{n},pro" for n in range(25)))
State = ImportJob.State


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: Any) -> None:
    monkeypatch.setattr(run, "CHUNK_OF_PEOPLE", 10)


def start(content: bytes = PEOPLE) -> ImportJob:
    return start_run(send_file(content), actor="ada", at=SENT)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing after it runs."""


@pytest.mark.django_db
def test_a_worker_goes_on_where_a_killed_one_stopped(monkeypatch: Any) -> None:
    job = claim_this(start())
    keep, seen = run.keep_taken, []

    def die_in_the_second(*arguments: Any) -> None:
        seen.append(1)
        keep(*arguments)
        if len(seen) == 2:
            raise Killed

    monkeypatch.setattr(run, "keep_taken", die_in_the_second)
    with pytest.raises(Killed):
        work_on(job)
    monkeypatch.setattr(run, "keep_taken", keep)
    job.refresh_from_db()
    assert (job.rows_done, Contact.objects.count()) == (10, 10)
    # Its lease still holds; then it ends.
    assert claim_job() is None
    ImportJob.objects.update(lease_until=SENT)
    assert run_imports(budget_s=60).took
    job.refresh_from_db()
    assert (job.state, count_rows(job)) == (State.DONE, (25, 0, 0, 0))
    assert Contact.objects.count() == 25


def test_one_chunk_is_read_ahead_and_no_more() -> None:
    read: list[int] = []

    def count() -> Iterator[Any]:
        for number in range(10):
            read.append(number)
            yield number

    chunks = run.read_ahead(count())
    assert next(chunks) == 0
    del chunks
    assert read in ([0], [0, 1])
    assert list(run.read_ahead(iter([]))) == []


@pytest.mark.django_db
def test_what_goes_wrong_in_reading_fails_the_import_and_keeps_its_rows() -> None:
    job = claim_this(start())
    read = run.read_people

    def refuse_the_second(rows: Any, reading: Any) -> Any:
        if rows[0].cells[0] == "u10":
            raise FileRefused("It ends in the middle.")
        return read(rows, reading)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_people", refuse_the_second)
        work_on(job)
    job.refresh_from_db()
    assert (job.state, job.failure) == (State.FAILED, "It ends in the middle.")
    assert Contact.objects.count() == 10


@pytest.mark.django_db
def test_a_turn_ends_with_its_time_and_the_next_goes_on() -> None:
    job = start()
    work_on(claim_this(job), ends=0)
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.lease) == (State.RUNNING, 10, None)
    turn = run_imports(budget_s=60)
    assert (turn.took, turn.is_more) == (True, False)
    job.refresh_from_db()
    assert count_rows(job) == (25, 0, 0, 0)


@pytest.mark.django_db
def test_a_canceled_import_keeps_its_rows_and_takes_no_more() -> None:
    job = claim_this(start())

    def cancel(_: ImportJob) -> None:
        cancel_import(job, actor="ada", at=SENT)

    work_on(job, tell=cancel)
    job.refresh_from_db()
    assert (job.state, Contact.objects.count()) == (State.CANCELED, 10)
    assert run_imports(budget_s=1).took is False


@pytest.mark.django_db
def test_a_worker_that_lost_its_lease_writes_nothing() -> None:
    job = start()
    slow = claim_this(job)
    ImportJob.objects.update(lease_until=SENT)
    claim_this(job)
    work_on(slow)
    assert Contact.objects.count() == 0


@pytest.mark.django_db
def test_what_kills_its_workers_again_and_again_is_set_aside() -> None:
    job = start()
    ImportJob.objects.update(attempts=MAX_ATTEMPTS)
    work_on(claim_this(job))
    job.refresh_from_db()
    assert (job.state, Contact.objects.count()) == (State.FAILED, 0)
    assert "again and again" in job.failure


@pytest.mark.django_db
def test_deeds_that_do_not_fit_the_state_are_refused() -> None:
    job = start()
    with pytest.raises(ImportRefused, match="runs"):
        start_run(job, actor="ada", at=SENT)
    with pytest.raises(ImportRefused, match="runs"):
        map_columns(job, load_mapping(job.mapping), dates="iso")
    job.refresh_from_db()
    assert job.state == State.RUNNING


@pytest.mark.django_db(transaction=True)
def test_two_files_with_the_same_people_and_a_merge_of_locks_come_to_an_end() -> None:
    """Both say the same ids in another order, at once: nobody is made twice."""
    lines = [f"u{n},pro" for n in range(400)]
    jobs = [
        start(make_csv("id,plan", *lines)),
        start(make_csv("id,plan", *reversed(lines))),
    ]

    def work(job: ImportJob) -> None:
        try:
            work_on(claim_this(job))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job in jobs:
        job.refresh_from_db()
    assert [job.state for job in jobs] == [State.DONE, State.DONE]
    assert sum(job.rows_new for job in jobs) == 400
    assert Contact.objects.count() == 400


@pytest.mark.django_db
def test_the_lease_is_renewed_with_each_chunk() -> None:
    job = claim_this(start())
    first = job.lease_until
    assert first is not None
    with transaction.atomic():
        ImportJob.objects.filter(pk=job.pk).update(
            lease_until=first - timedelta(minutes=2)
        )
        run.hold(job)
    job.refresh_from_db()
    assert job.lease_until is not None
    assert job.lease_until >= first
    assert job.attempts == 0
