"""Bytes of a file → rows with their line numbers, in bounded memory. Pure.

The kind of file is told by its first bytes, never by its name. A row that can not be
read is a `BadRow`, and the rows after it are read on; what makes the whole file
unreadable is a `FileRefused`.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from crm.imports.cells import Problem

# Characters of one cell and of one row. A cell of 10 MB is a mistake.
MAX_CELL: Final = 100_000
MAX_ROW: Final = 1_000_000
MAX_COLUMNS: Final = 200
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# What a reader of Windows files means by Latin-1; the few bytes without a meaning
# there are refused with their row.
CODECS: Final = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "latin-1": "cp1252"}
ZIP_MAGIC: Final = b"PK\x03\x04"
OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0"
BLOCK: Final = 1024 * 1024


class FileRefused(ValueError):
    """Nothing of this file can be read; the message is for staff."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record; `line` is where it begins in the file, from 1."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int
    problem: Problem
    cells: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is. `encoding` is '' where it is text but not UTF-8: staff say."""

    format: str
    encoding: str = ""
    delimiter: str = ""
    # Where it stops to be UTF-8, in words.
    fault: str = ""
    lines: int = 0


def sniff_file(file: BinaryIO) -> Sniffed:
    """Reads the whole file once, block by block; FileRefused where it is hopeless."""
    file.seek(0)
    head = file.read(64 * 1024)
    if not head:
        raise FileRefused("The file is empty.")
    if head.startswith(ZIP_MAGIC):
        return Sniffed("xlsx")
    if head.startswith(OLE_MAGIC):
        raise FileRefused("This is an old Excel file (.xls): save it as .xlsx or CSV.")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, fault, lines = "utf-16", *check_text(file, "utf-16")
        if fault:
            raise FileRefused(fault)
    else:
        fault, lines = check_text(file, "utf-8-sig")
        encoding = "" if fault else "utf-8"
    text = head.decode(CODECS[encoding or "latin-1"], "replace")
    return Sniffed("csv", encoding, find_delimiter(text), fault, lines)


def check_text(file: BinaryIO, codec: str) -> tuple[str, int]:
    """Where the file stops to be text of this codec ('' if nowhere), and its lines."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(codec)()
    lines, at, kept = 0, 0, b""
    while block := file.read(BLOCK):
        try:
            lines += decoder.decode(block).count("\n")
        except UnicodeDecodeError as error:
            # The decoder may have kept the first bytes of a character.
            good = error.object[: error.start]
            line = lines + good.count(b"\n") + 1
            byte = at - len(kept) + error.start + 1
            name = codec.removesuffix("-sig").upper()
            return f"Line {line}, byte {byte:,} of the file is not {name}.", 0
        at += len(block)
        kept = decoder.getstate()[0]
    if kept:
        return f"The file ends in the middle of a character (byte {at:,}).", 0
    return "", lines


def find_delimiter(text: str) -> str:
    """The one that the first line holds most of, outside quotes."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    bare = "".join(head.split('"')[::2])
    return max(DELIMITERS, key=bare.count) if bare else ","


class _Lines:
    """Lines of a text, none longer than a row may be; csv can read on after one."""

    def __init__(self, text: io.TextIOBase) -> None:
        self.text = text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.text.readline(MAX_ROW)
        if not line:
            raise StopIteration
        if len(line) == MAX_ROW and not line.endswith(("\n", "\r")):
            self._skip_rest()
            raise csv.Error(f"longer than {MAX_ROW:,} characters")
        return line

    def _skip_rest(self) -> None:
        while (more := self.text.readline(MAX_ROW)) and not more.endswith(("\n", "\r")):
            pass


def read_csv(
    file: BinaryIO, *, encoding: str, delimiter: str
) -> Iterator[Row | BadRow]:
    """Every record that is not blank, the heading first."""
    csv.field_size_limit(MAX_CELL)
    file.seek(0)
    text = io.TextIOWrapper(
        file, CODECS[encoding], errors="surrogateescape", newline=""
    )
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter)
    skipped = 0
    try:
        while True:
            line = reader.line_num + skipped + 1
            try:
                cells = next(reader)
            except csv.Error as error:
                # A line that was refused before the reader had it is not counted.
                skipped += "characters" in str(error)
                yield BadRow(line, explain_error(error))
            except StopIteration:
                return
            else:
                if any(cells):
                    yield Row(line, [cell.strip() for cell in cells])
    finally:
        # Whoever is gone in the middle has closed the file before us.
        if not file.closed:
            text.detach()


def explain_error(error: csv.Error) -> Problem:
    if "field larger" in str(error):
        message = f"A cell is longer than {MAX_CELL:,} characters, or a quote is open."
        return Problem("cell_too_long", message)
    if "characters" in str(error):
        return Problem("row_too_long", f"The row is {error}.")
    return Problem("unreadable", f"The row can not be read: {error}.")


def read_heading(rows: Iterator[Row | BadRow]) -> list[str]:
    """The first record's names, each its own; FileRefused where it is none."""
    first = next(rows, None)
    if first is None:
        raise FileRefused("The file holds no rows.")
    if isinstance(first, BadRow):
        raise FileRefused(f"Line {first.line}: {first.problem.message}")
    while first.cells and not first.cells[-1]:
        first.cells.pop()
    if len(first.cells) > MAX_COLUMNS:
        raise FileRefused(f"The file has more than {MAX_COLUMNS} columns.")
    return name_columns(first.cells)


def name_columns(cells: Iterable[str]) -> list[str]:
    """Headings as staff can tell them apart: an empty one and a second of its name
    get their number."""
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        name = cell.replace("\x00", "").encode("utf-8", "replace").decode()[:200]
        name = name or f"Column {number}"
        names.append(f"{name} ({number})" if name in names else name)
    return names


def check_row(row: Row | BadRow, heading: list[str]) -> Row | BadRow:
    """The row with exactly as many cells as the heading, or what is wrong with it."""
    if isinstance(row, BadRow):
        return row
    cells, wanted = row.cells, len(heading)
    while len(cells) > wanted and not cells[-1]:
        cells.pop()
    if len(cells) == wanted:
        return row
    code = "too_many_cells" if len(cells) > wanted else "too_few_cells"
    message = f"{len(cells)} cells where the heading has {wanted}."
    return BadRow(row.line, Problem(code, message), cells)
