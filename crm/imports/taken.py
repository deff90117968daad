"""What became of a chunk of rows: the one answer of all kinds of import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from crm.imports.cells import CellRefused, Problem, read_cell
from crm.imports.files import Row
from crm.imports.mapping import Column

ERASED: Final = Problem(
    "erased", "This person was erased for good; a file does not bring them back."
)


class Touch(msgspec.Struct, frozen=True):
    """One row of ImportTouch, without its job."""

    made: bool
    contact_id: int | None = None
    code: str = ""
    before: Mapping[str, Any] = {}


# A row with all that is wrong in it.
Refused = tuple[Row, list[Problem]]


@dataclass(slots=True)
class Taken:
    """Counts of rows; each refused row with all that is wrong in it."""

    new: int = 0
    changed: int = 0
    same: int = 0
    refused: list[Refused] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    # More touches lie where `crm.events.staging.TOUCHED` finds them.
    has_staged: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of a file are read."""

    columns: Sequence[Column]
    dates: str
    event_name: str = ""


def read_value(
    column: Column, text: str, reading: Reading, problems: list[Problem]
) -> Any:
    """The cell as its column's kind, or None and a problem more."""
    kind = column.kind if column.is_free else "text"
    try:
        return read_cell(text, kind, dates=reading.dates)
    except CellRefused as refused:
        problems.append(Problem(refused.code, str(refused), column.heading))
        return None
