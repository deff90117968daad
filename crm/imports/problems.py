"""The refused rows as lines of a CSV file: where, why, and the row itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm.imports.formulas import neutralise
from crm.models import ImportJob

HEADING: Final = ("line", "column", "code", "message")


def list_problem_lines(job: ImportJob) -> Iterator[list[Any]]:
    """The heading, then a line for each problem in the order of the file; what a
    spreadsheet would run as a formula is neutralised."""
    yield [*HEADING, *map(neutralise, job.heading)]
    for row in job.problems.order_by("line", "pk").iterator(chunk_size=2_000):
        cells = [row.line, row.column, row.code, row.message, *row.cells]
        yield [neutralise(cell) for cell in cells]
