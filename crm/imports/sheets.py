"""The first sheet of an XLSX file → rows of text, not trusting what it unpacks to."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError

from crm.imports.cells import Problem
from crm.imports.files import MAX_CELL, MAX_COLUMNS, BadRow, FileRefused, Row

# Unpacked, together; shared texts are held in memory at once.
MAX_UNPACKED: Final = 1024**3
MAX_TEXTS: Final = 200 * 1024**2
TEXTS: Final = "xl/sharedStrings.xml"
BROKEN: Final = (zipfile.BadZipFile, KeyError, ValueError, ParseError, OSError)


def check_archive(file: BinaryIO) -> None:
    """FileRefused where the archive is no workbook, or would unpack to too much."""
    file.seek(0)
    try:
        parts = zipfile.ZipFile(file).infolist()
    except BROKEN as error:
        raise FileRefused("The file is a damaged archive.") from error
    sizes = {part.filename: part.file_size for part in parts}
    if "xl/workbook.xml" not in sizes:
        raise FileRefused("The file is an archive, but no Excel workbook.")
    if sum(sizes.values()) > MAX_UNPACKED or sizes.get(TEXTS, 0) > MAX_TEXTS:
        raise FileRefused("The workbook unpacks to more than it may: send it as CSV.")


def read_xlsx(file: BinaryIO) -> Iterator[Row | BadRow]:
    """Every row of the first sheet that is not blank, the heading first."""
    import openpyxl

    check_archive(file)
    file.seek(0)
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        # What the file says of its own size may be wrong.
        sheet.reset_dimensions()
        width = 0
        for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            row = _read_row(line, cells, width)
            if row is not None:
                width = width or len(row.cells)
                yield row
    except (*BROKEN, IndexError, TypeError, AttributeError, EOFError) as error:
        raise FileRefused("The workbook can not be read: it is damaged.") from error


def _read_row(line: int, cells: tuple[Any, ...], width: int) -> Row | BadRow | None:
    """A sheet keeps no empty cells at a row's end: they are filled up to `width`."""
    if any(cell is not None for cell in cells[MAX_COLUMNS:]):
        message = f"More than {MAX_COLUMNS} columns."
        return BadRow(line, Problem("too_many_cells", message))
    texts = [write_cell(cell) for cell in cells[:MAX_COLUMNS]]
    if not any(texts):
        return None
    if any(len(text) > MAX_CELL for text in texts):
        message = f"A cell is longer than {MAX_CELL:,} characters."
        return BadRow(line, Problem("cell_too_long", message))
    return Row(line, texts + [""] * (width - len(texts)))


def write_cell(value: Any) -> str:
    """A cell as the same text that CSV would hold."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime):
        midnight = value.time().replace(microsecond=0).isoformat() == "00:00:00"
        return value.date().isoformat() if midnight else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def count_rows(file: BinaryIO) -> int:
    """About how many, as the sheet says itself; 0 where it does not say."""
    import openpyxl

    check_archive(file)
    file.seek(0)
    try:
        book = openpyxl.load_workbook(file, read_only=True)
        return max((book.worksheets[0].max_row or 1) - 1, 0)
    except (*BROKEN, IndexError, TypeError, AttributeError) as error:
        raise FileRefused("The workbook can not be read: it is damaged.") from error
