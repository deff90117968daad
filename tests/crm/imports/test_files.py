"""Whatever the bytes: rows with their lines, or one clear word about what is wrong."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest

from crm.imports.files import (
    MAX_CELL,
    MAX_COLUMNS,
    MAX_ROW,
    BadRow,
    FileRefused,
    Row,
    check_row,
    read_csv,
    read_heading,
    sniff_file,
)
from crm.imports.sheets import check_archive, read_xlsx
from tests.crm.imports.files import make_csv, make_xlsx


def read_all(content: bytes, encoding: str = "utf-8") -> list[tuple[int, object]]:
    """(line, cells or code) of each record below the heading."""
    file = io.BytesIO(content)
    rows = read_csv(file, encoding=encoding, delimiter=sniff_file(file).delimiter)
    heading = read_heading(rows)
    checked = [check_row(row, heading) for row in rows]
    return [
        (row.line, row.problem.code if isinstance(row, BadRow) else row.cells)
        for row in checked
    ]


@pytest.mark.parametrize(
    ("content", "encoding", "delimiter"),
    [
        ("a,b\né,2\n".encode(), "utf-8", ","),
        ("\ufeffa;b\né;2\n".encode(), "utf-8", ";"),
        ("a\tb\né\t2\n".encode("utf-16"), "utf-16", "\t"),
        (b'"a;b;c",d\n1,2\n', "utf-8", ","),
    ],
)
def test_encoding_and_delimiter_are_told_by_the_bytes(
    content: bytes, encoding: str, delimiter: str
) -> None:
    sniffed = sniff_file(io.BytesIO(content))
    told = (sniffed.format, sniffed.encoding, sniffed.delimiter, sniffed.lines)
    assert told == ("csv", encoding, delimiter, 2)


def test_what_is_no_utf_8_is_named_by_line_and_byte_and_read_as_latin_1() -> None:
    content = b"name,city\nAda,London\nZo\xeb,K\xf6ln\n"
    sniffed = sniff_file(io.BytesIO(content))
    assert sniffed.encoding == ""
    assert sniffed.fault == "Line 3, byte 24 of the file is not UTF-8."
    assert read_all(content, "latin-1")[1] == (3, ["Zoë", "Köln"])


def test_a_character_that_is_cut_by_a_block_or_by_the_end_is_told_apart() -> None:
    whole = b"a\n" + b"x" * (1024 * 1024 - 3) + "é\n".encode()
    assert sniff_file(io.BytesIO(whole)).encoding == "utf-8"
    bad = b"a\n" + b"x" * (1024 * 1024 - 3) + b"\xc3\n"
    place = f"Line 2, byte {1024 * 1024:,} of the file is not UTF-8."
    assert sniff_file(io.BytesIO(bad)).fault == place
    cut = sniff_file(io.BytesIO(b"a\n\xc3"))
    assert cut.fault.startswith("The file ends in the middle of a character")


def test_a_hopeless_file_is_refused_in_words() -> None:
    for content, words in ((b"", "empty"), (b"\xd0\xcf\x11\xe0rest", "old Excel")):
        with pytest.raises(FileRefused, match=words):
            sniff_file(io.BytesIO(content))
    with pytest.raises(FileRefused, match="damaged archive"):
        check_archive(io.BytesIO(b"PK\x03\x04nothing"))


def test_quoted_newlines_blank_lines_and_ragged_rows_keep_their_lines() -> None:
    content = make_csv(
        "a,b", '1,"two\nlines"', "", "3", "4,5,6", "7,8,,", '"9""",10', ",,", "11,12"
    )
    assert read_all(content) == [
        (2, ["1", "two\nlines"]),
        (5, "too_few_cells"),
        (6, "too_many_cells"),
        (7, ["7", "8"]),
        (8, ['9"', "10"]),
        (10, ["11", "12"]),
    ]


def test_a_cell_of_10_mb_and_a_row_without_end_cost_their_row_alone() -> None:
    big = "x" * 10_000_000
    content = make_csv("a,b", f"1,{big}", "2,ok", f"3,{'y' * (MAX_CELL + 1)}", "4,ok")
    tracemalloc.start()
    found = read_all(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [
        (2, "row_too_long"),
        (3, ["2", "ok"]),
        (4, "cell_too_long"),
        (5, ["4", "ok"]),
    ]
    assert peak < 20 * MAX_ROW


def test_an_open_quote_is_told_and_does_not_swallow_the_file() -> None:
    lines = [f"{n},fine" for n in range(40_000)]
    found = read_all(make_csv("a,b", '0,"open', *lines))
    codes = [cells for _, cells in found if isinstance(cells, str)]
    assert found[0] == (2, "cell_too_long")
    assert codes == ["cell_too_long"]
    assert found[-1] == (40_002, ["39999", "fine"])


def test_headings_are_told_apart_and_must_be_there() -> None:
    rows = iter([Row(1, ["id", "", "id", "x", ""])])
    assert read_heading(rows) == ["id", "Column 2", "id (3)", "x"]
    with pytest.raises(FileRefused, match="no rows"):
        read_heading(iter([]))
    with pytest.raises(FileRefused, match="columns"):
        read_heading(iter([Row(1, ["x"] * (MAX_COLUMNS + 1))]))


def test_a_sheet_reads_as_the_same_file_in_csv_would() -> None:
    content = make_xlsx(["id", "n", "ok"], ["a", 1.0, True], [None] * 3, ["b", 2.5])
    file = io.BytesIO(content)
    assert sniff_file(file).format == "xlsx"
    rows = list(read_xlsx(file))
    assert rows == [
        Row(1, ["id", "n", "ok"]),
        Row(2, ["a", "1", "true"]),
        Row(4, ["b", "2.5", ""]),
    ]


def make_archive(**parts: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return file


def test_an_archive_that_is_no_workbook_or_a_bomb_is_refused() -> None:
    with pytest.raises(FileRefused, match="no Excel workbook"):
        check_archive(make_archive(readme=b"x"))
    bomb = make_archive(
        xl__workbook_xml=b"<a/>", xl__sharedStrings_xml=b"0" * (201 * 1024**2)
    )
    assert len(bomb.getvalue()) < 1_000_000
    with pytest.raises(FileRefused, match="unpacks to more"):
        check_archive(bomb)
    with pytest.raises(FileRefused, match="damaged"):
        list(read_xlsx(make_archive(xl__workbook_xml=b"<a/>")))
