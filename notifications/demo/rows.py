"""Purchase rows: one line of one invoice each, from a log or made up.

The columns are those of the UCI "Online Retail" log: InvoiceNo, StockCode,
Description, Quantity, InvoiceDate, UnitPrice (GBP), CustomerID, Country.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)


class RowError(ValueError):
    """A line that cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `at` is the shop's wall clock; `customer` is '' where unknown."""

    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str

    @property
    def is_clean(self) -> bool:
        """A purchase of a known customer, neither cancelled nor given away."""
        return (
            self.customer != ""
            and not self.invoice.startswith("C")
            and self.quantity > 0
            and self.price > 0
        )


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV, gzipped or not; RowError names the line at fault."""
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
    opener = gzip.open if is_gzip else open
    with opener(path, "rt", encoding="utf-8", newline="") as text:
        lines = csv.reader(text)
        header = tuple(next(lines, ()))
        if header != COLUMNS:
            raise RowError(f"line 1: expected the columns {', '.join(COLUMNS)}")
        for number, fields in enumerate(lines, start=2):
            yield _read_row(fields, number)


def _read_row(fields: list[str], number: int) -> Row:
    if len(fields) != len(COLUMNS):
        raise RowError(f"line {number}: {len(fields)} fields, not {len(COLUMNS)}")
    invoice, code, description, quantity, at, price, customer, country = fields
    try:
        return Row(
            invoice=invoice,
            code=code,
            description=description.strip(),
            quantity=int(quantity),
            at=datetime.fromisoformat(at),
            price=Decimal(price),
            # The log keeps ids as floats in text: 17850.0
            customer=customer.removesuffix(".0"),
            country=country,
        )
    except (ValueError, InvalidOperation) as error:
        raise RowError(f"line {number}: {error}") from error
