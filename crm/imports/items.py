"""Rows of a catalog: only the columns that the file has are changed.

`save_items` checks and writes them; a check is the same, rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from crm.catalog.items import Saved, lock_catalog, save_items
from crm.catalog.rows import COLUMNS
from crm.events.limits import Fault
from crm.imports.cells import Problem
from crm.imports.files import Row
from crm.imports.taken import Reading, Taken, Touch, read_value
from crm.models import Catalog, CatalogItem

SOURCE: Final = "import"


@transaction.atomic
def take_items(
    rows: Sequence[Row], reading: Reading, *, catalog: Catalog, at: datetime, dry: bool
) -> Taken:
    """Of a code that comes twice in a chunk the last row wins."""
    taken = Taken()
    good: list[Row] = []
    said: list[dict[str, Any]] = []
    for row in rows:
        problems: list[Problem] = []
        one = read_item(row, reading, problems)
        if problems:
            taken.refused.append((row, problems))
        else:
            good.append(row)
            said.append(one)
    lock_catalog(catalog)
    codes = [str(one.get("code", "")) for one in said]
    before = read_stands(catalog, codes)
    saved = save_items(catalog, said, source=SOURCE, at=at, partial=True)
    count_saved(taken, saved)
    for index, fault in sorted(saved.refused.items()):
        taken.refused.append((good[index], [write_problem(fault, reading)]))
    if dry:
        transaction.set_rollback(True)
    else:
        taken.touches = list_touches(before, read_stands(catalog, codes))
    return taken


def read_item(row: Row, reading: Reading, problems: list[Problem]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for column, text in zip(reading.columns, row.cells, strict=True):
        if column.to and text:
            value = read_value(column, text, reading, problems)
            if column.is_free:
                extras[column.name] = value
            else:
                said[column.to] = value
    return {**said, "attributes": extras} if extras else said


def count_saved(taken: Taken, saved: Saved) -> None:
    """A row that a later one replaced changed nothing itself."""
    taken.new, taken.changed = saved.new, saved.changed
    taken.same = saved.unchanged + saved.repeated


def write_problem(fault: Fault, reading: Reading) -> Problem:
    """The fault with the heading of what its path is about."""
    name = fault.path.removeprefix("attributes.").partition("[")[0]
    named = (c.heading for c in reading.columns if name in (c.to, c.name))
    return Problem(fault.code, fault.message, next(named, ""))


def read_stands(catalog: Catalog, codes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The items on the shelf with these codes, as rows of an upsert."""
    items = CatalogItem.objects.filter(catalog=catalog).live().coded(codes)
    return {item.code: dump_item(item) for item in items}


def dump_item(item: CatalogItem) -> dict[str, Any]:
    row = {name: write_plain(getattr(item, name)) for name in COLUMNS}
    return {"code": item.code, **row, "attributes": item.attributes}


def write_plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value


def list_touches(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> list[Touch]:
    """What was there, and what this import made of it: an undo compares."""
    return [
        Touch(
            code=code,
            made=code not in before,
            before={"before": before.get(code), "after": row},
        )
        for code, row in after.items()
        if row != before.get(code)
    ]
