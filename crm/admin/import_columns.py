"""The table of columns on an import's page: what is shown, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crm.imports.cells import KINDS
from crm.imports.mapping import (
    FREE,
    TARGETS,
    Column,
    is_about_consent,
    load_mapping,
    name_free,
)
from crm.models import ImportJob


def describe_columns(
    job: ImportJob, columns: Sequence[Column] | None = None
) -> dict[str, Any]:
    """Each column with its first cells and the choices for it."""
    columns = columns or load_mapping(job.mapping)
    rows = [
        {
            "number": number,
            "column": column,
            "samples": [row[number] for row in job.samples if number < len(row)][:3],
            "name": column.name or name_free(column.heading),
        }
        for number, column in enumerate(columns)
    ]
    return {
        "columns": rows,
        "targets": TARGETS[job.kind],
        "free": FREE[job.kind],
        "kinds": KINDS,
        "about_consent": [
            column.heading for column in columns if is_about_consent(column.heading)
        ]
        if job.kind == ImportJob.Kind.CONTACTS
        else [],
    }


def read_columns(said: Mapping[str, str], job: ImportJob) -> list[Column]:
    """The mapping as the form says it; `map_columns` judges it."""
    return [
        read_column(said, number, heading) for number, heading in enumerate(job.heading)
    ]


def read_column(said: Mapping[str, str], number: int, heading: str) -> Column:
    target = said.get(f"to_{number}", "")
    if target not in FREE.values():
        return Column(heading, target)
    name = said.get(f"name_{number}", "").strip()
    return Column(heading, target, name, said.get(f"kind_{number}", "text"))
