from __future__ import annotations

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from notifications.demo.dataset import build_dataset
from notifications.demo.rows import COLUMNS, RowError, read_rows
from notifications.demo.sample import make_rows

HEADER = ",".join(COLUMNS)
GOOD = "536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom"
LATER = "536366,85123A,WHITE HEART,2,2010-12-02 08:26:00,2.55,17851.0,Germany"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def write_log(folder: Path, *lines: str) -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def test_a_zipped_log_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain = write_log(tmp_path, GOOD)
    zipped = tmp_path / "log.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    (row,) = read_rows(zipped)
    assert [row] == list(read_rows(plain))
    assert (row.customer, row.price, row.is_clean) == ("17850", Decimal("2.55"), True)


@pytest.mark.parametrize(
    ("_case", "line", "message"),
    [
        ("a field is missing", "536365,85123A", "line 3: 2 fields, not 8"),
        ("a quantity in words", GOOD.replace(",6,", ",six,"), "line 3: invalid"),
        ("no such day", GOOD.replace("12-01", "13-01"), "line 3: month must be"),
    ],
)
def test_a_wrong_line_is_named(
    tmp_path: Path, _case: str, line: str, message: str
) -> None:
    with pytest.raises(RowError, match=message):
        list(read_rows(write_log(tmp_path, GOOD, line)))


def test_another_table_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RowError, match="line 1: expected the columns InvoiceNo"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("_case", "line"),
    [
        ("cancelled", GOOD.replace("536365", "C536365")),
        ("nobody known", GOOD.replace("17850.0", "")),
        ("given back", GOOD.replace(",6,", ",-6,")),
        ("given away", GOOD.replace("2.55", "0.0")),
    ],
)
def test_only_purchases_of_known_people_are_clean(
    tmp_path: Path, _case: str, line: str
) -> None:
    (row,) = read_rows(write_log(tmp_path, line))
    assert not row.is_clean


def test_a_dataset_ends_now_by_one_constant(tmp_path: Path) -> None:
    rows = list(read_rows(write_log(tmp_path, GOOD, LATER)))
    dataset = build_dataset(rows, now=NOW)
    first, last = dataset.orders
    assert last.at == NOW
    assert first.at.replace(tzinfo=None) - dataset.shift == rows[0].at
    assert dataset.revenue == Decimal("20.40")
    assert [person.place.time_zone for person in dataset.people] == [
        "Europe/London",
        "Europe/Berlin",
    ]


def test_the_sample_is_the_same_every_time() -> None:
    assert list(make_rows(30)) == list(make_rows(30))
