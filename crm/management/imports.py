"""An import from a shell: the same deeds as on staff's page, in this process."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from crm.imports.cells import DATE_STYLES
from crm.imports.files import FileRefused
from crm.imports.jobs import (
    ImportRefused,
    choose_encoding,
    map_columns,
    start_check,
    start_import,
    start_run,
)
from crm.imports.mapping import MappingRefused, load_mapping, override
from crm.imports.problems import list_problem_lines
from crm.imports.run import claim_this, work_on
from crm.models import ImportJob

ACTOR = "command"


class ImportCommand(BaseCommand):
    """Each command sets its `kind`. Ends with 1 where rows were refused."""

    kind: str

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=TARGET",
            help="what a column becomes, as 'Plan=trait:plan:text'; '-' leaves it out",
        )
        parser.add_argument("--dates", choices=DATE_STYLES, default="iso")
        parser.add_argument("--encoding", choices=ImportJob.Encoding.values, default="")
        parser.add_argument("--dry-run", action="store_true", help="write nothing")
        parser.add_argument("--errors", type=Path, help="write refused rows here (CSV)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job = self.prepare(options)
        except MappingRefused as refused:
            raise CommandError("\n".join(refused.messages)) from refused
        except (FileRefused, ImportRefused) as refused:
            raise CommandError(str(refused)) from refused
        except OSError as error:
            message = f"{options['file']}: {error.strerror}"
            raise CommandError(message) from error
        start = start_check if options["dry_run"] else start_run
        start(job, actor=ACTOR, at=timezone.now())
        job = claim_this(job)
        work_on(job, tell=self.tell)
        self.stderr.write("")
        if job.state == ImportJob.State.FAILED:
            raise CommandError(job.failure)
        self.report(job, options)

    def prepare(self, options: dict[str, Any]) -> ImportJob:
        path: Path = options["file"]
        with path.open("rb") as file:
            job = start_import(
                file,
                kind=self.kind,
                catalog=options.get("catalog") or "",
                name=path.name,
                actor=ACTOR,
                at=timezone.now(),
            )
        if options["encoding"] and options["encoding"] != job.encoding:
            choose_encoding(job, options["encoding"])
            job.refresh_from_db()
        if not job.mapping:
            raise FileRefused(f"{job.encoding_fault} Say --encoding latin-1 if it is.")
        columns = load_mapping(job.mapping)
        columns = override(columns, self.kind, read_words(options["map"]))
        event = options.get("event") or ""
        map_columns(job, columns, dates=options["dates"], event_name=event)
        job.refresh_from_db()
        return job

    def tell(self, job: ImportJob) -> None:
        total = f" of about {job.rows_total:,}" if job.rows_total else ""
        self.stderr.write(f"\r{job.rows_done:,}{total} rows", ending="")
        self.stderr.flush()

    def report(self, job: ImportJob, options: dict[str, Any]) -> None:
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"{job.rows_new:,} {would}new, {job.rows_changed:,} {would}changed, "
            f"{job.rows_same:,} as they were, {job.rows_bad:,} refused."
        )
        if options["errors"]:
            with options["errors"].open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(list_problem_lines(job))
        if job.rows_bad:
            where = options["errors"] or "--errors FILE writes them with their lines"
            raise CommandError(f"{job.rows_bad:,} rows were refused: {where}")


def read_words(words: Sequence[str]) -> dict[str, str]:
    said = {}
    for word in words:
        heading, equals, target = word.rpartition("=")
        if not equals:
            raise MappingRefused([f"--map needs COLUMN=TARGET, not “{word}”."])
        said[heading] = target
    return said
