"""Exports: a link to rows, for its owner, for a day, with its reason in the trail.

Nothing is written to a disk: a CSV is read from the database while it is sent, a
workbook is put together in a file without a name.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import IO, Any, Final

from django.contrib.auth.models import User
from django.db import transaction

from crm.imports.formulas import neutralise
from crm.models import ExportLink
from crm.models.audit import record_audit
from crm.ports.facts import Sql
from crm.ports.sheets import Sheet, find_sheet, select_people

# Lines sent at once.
BATCH: Final = 500
# Of one sheet of a workbook, its heading among them.
SHEET_ROWS: Final = 1_048_576
MAX_REASON: Final = 300
# Links are kept this long for staff to look at; the trail keeps what was done.
KEEP: Final = timedelta(days=30)


class ExportRefused(ValueError):
    """No such rows, no right to them, or no reason; the message is for staff."""


@transaction.atomic
def make_link(
    *, owner: User, sheet: str, form: str, segment: str, reason: str
) -> ExportLink:
    """A link that only its owner can follow, until it ends."""
    table = find_sheet(sheet)
    if table is None or form not in ExportLink.Format.values:
        raise ExportRefused("Choose what to export, and as what.")
    if not owner.has_perm(table.right):
        raise ExportRefused(f"Your role may not see {table.label.lower()}.")
    if segment and select_people(segment) is None:
        raise ExportRefused("There is no such segment.")
    reason = reason.replace("\x00", "").strip()[:MAX_REASON]
    if not reason:
        raise ExportRefused("Say why, for the record.")
    link = ExportLink.objects.create(
        owner=owner, sheet=sheet, format=form, segment=segment, reason=reason
    )
    told = {"sheet": sheet, "format": form, "segment": segment}
    record_audit(actor=owner, action="exported", on=link, changes=told, reason=reason)
    return link


@transaction.atomic
def follow_link(token: str, *, by: User, at: datetime) -> ExportLink | None:
    """The link, noted in the trail; None where it is not theirs or has ended."""
    links = ExportLink.objects.open_to(by.pk, at).filter(token=token)
    link = links.select_for_update().first()
    table = find_sheet(link.sheet) if link else None
    if link is None or table is None or not by.has_perm(table.right):
        return None
    link.fetched_at = at
    link.save(update_fields=["fetched_at"])
    record_audit(actor=by, action="fetched", on=link, reason=link.reason)
    return link


def read_lines(link: ExportLink) -> Iterator[Sequence[Any]]:
    """The heading and every row, as cells that no spreadsheet runs."""
    table = find_sheet(link.sheet)
    assert table is not None  # `follow_link` looked
    lines = chain([table.heading], table.rows(find_people(link)))
    return ([write_cell(value) for value in line] for line in lines)


def find_people(link: ExportLink) -> Sql | None:
    """Everybody where no segment is named; nobody where it is gone since."""
    if not link.segment:
        return None
    return select_people(link.segment) or Sql("SELECT NULL::bigint WHERE false")


def write_cell(value: Any) -> Any:
    """A cell: numbers stay numbers, times are ISO 8601 in UTC, the rest is text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return neutralise(str(value))


def stream_csv(link: ExportLink) -> Iterator[str]:
    """A few hundred lines at a time, so that memory does not grow with the rows."""
    # So that Excel reads it as UTF-8.
    yield "\ufeff"
    lines = read_lines(link)
    while batch := list(islice(lines, BATCH)):
        text = io.StringIO()
        csv.writer(text).writerows(batch)
        yield text.getvalue()


def write_xlsx(link: ExportLink) -> IO[bytes]:
    """A workbook; what does not fit on a sheet goes on on the next."""
    import openpyxl
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = openpyxl.Workbook(write_only=True)
    lines = read_lines(link)
    while batch := list(islice(lines, 1)):
        sheet = book.create_sheet()
        for line in chain(batch, islice(lines, SHEET_ROWS - 1)):
            sheet.append(
                [
                    # A cell holds so many characters, and no control characters.
                    ILLEGAL_CHARACTERS_RE.sub("", value)[:32_767]
                    if isinstance(value, str)
                    else value
                    for value in line
                ]
            )
    file = tempfile.TemporaryFile()  # noqa: SIM115 – closed with the answer
    book.save(file)
    file.seek(0)
    return file


def name_file(link: ExportLink) -> str:
    words = [link.sheet, link.segment, f"{link.created_at:%Y-%m-%d}"]
    return f"{'-'.join(word for word in words if word)}.{link.format}"


def list_choices(owner: User, sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets that this person may see."""
    return [sheet for sheet in sheets if owner.has_perm(sheet.right)]


def forget_links(*, now: datetime) -> int:
    return ExportLink.objects.filter(expires_at__lt=now - KEEP).delete()[0]
