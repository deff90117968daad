"""Rows about people → the text of one COPY, with no question to the database.

So a file is read and put into words by one thread while the database works on the rows
before. Which rows mean the same id or address is told here too: those are judged one
after the other (`crm.events.bulk`), all others at once (`crm.events.staging`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from crm.events.identity import ANONYMOUS, EXTERNAL, Key
from crm.events.naming import EMAIL_KEY
from crm.events.traits import clean_column
from crm.models import Identifier
from crm.models.ids import make_uuid7s
from crm.ports.effects import effect_providers

EMAIL: Final = Identifier.Kind.EMAIL.value
PHONE: Final = Identifier.Kind.PHONE.value
# Traits with a column of the contact, and that column. Other spellings of them may
# stand beside these in one row, so they are left to the road of one by one.
WITH_COLUMN: Final = {
    "email": "email",
    "phone": "phone",
    "locale": "locale",
    "timezone": "time_zone",
}
OTHER_SPELLINGS: Final = frozenset({"language", "time_zone"})
ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"},
)
NOTHING: Final = "\\N"
NO_MAILS: Final = f"{NOTHING}\t{NOTHING}"


class Said(msgspec.Struct, frozen=True):
    """One row: who, and what is said about them."""

    external_id: str
    email: str
    traits: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows ready for COPY into `bulk_said`, by their place in `said`."""

    said: Sequence[Said]
    text: bytes
    # Each set of trait names that the rows have, by the number that their lines say.
    shapes: Sequence[tuple[str, ...]]
    # Rows that must be judged one after the other.
    knots: frozenset[int]


def write_lines(said: Sequence[Said]) -> Lines:
    """ValueError where a row says consent, which never comes in bulk."""
    shapes: dict[tuple[str, ...], int] = {}
    knots: set[int] = set()
    first: dict[Key, int] = {}
    lines: list[str] = []
    for n, (row, uuid) in enumerate(zip(said, make_uuid7s(len(said)), strict=True)):
        shape = tuple(row.traits)
        number = shapes.setdefault(shape, len(shapes))
        columns = read_columns(row.traits)
        for key in (*list_keys(row), *make_addresses(columns[0], columns[1])):
            if (other := first.setdefault(key, n)) != n:
                knots |= {n, other}
        if None in row.traits.values() or not OTHER_SPELLINGS.isdisjoint(shape):
            knots.add(n)
        lines.append(f"{n}\t{uuid}\t{number}\t{write_cells(row, columns)}\n")
    check_shapes(shapes)
    return Lines(said, "".join(lines).encode(), list(shapes), frozenset(knots))


def read_columns(traits: Mapping[str, Any]) -> list[str | None]:
    """What is said for each column of WITH_COLUMN, clean; None where it is nothing."""
    return [
        clean_column(column, traits[name]) if name in traits else None
        for name, column in WITH_COLUMN.items()
    ]


def check_shapes(shapes: Mapping[tuple[str, ...], int]) -> None:
    refused = [provider.trait_names for provider in effect_providers()]
    for shape in shapes:
        if any(not names.isdisjoint(shape) for names in refused):
            raise ValueError("Consent is said by a call or on a page, never in bulk.")


def list_keys(row: Said) -> list[Key]:
    """What may lead to this row's person, best first; the last one is made."""
    if row.external_id:
        return [(EXTERNAL, row.external_id)]
    lower = row.email.lower()
    return [(EXTERNAL, row.email), (EMAIL, lower), (ANONYMOUS, f"{EMAIL_KEY}{lower}")]


def make_addresses(email: str | None, phone: str | None) -> list[Key]:
    """E-mail and phone, clean, as keys."""
    keys = [(EMAIL, email.lower())] if email else []
    return [*keys, (PHONE, phone)] if phone else keys


def write_cells(row: Said, columns: Sequence[str | None]) -> str:
    """In the order of `bulk_said`; an id wins over the e-mail as a key."""
    email, phone, locale, time_zone = columns
    if row.external_id:
        keys = f"{escape(row.external_id)}\t{NOTHING}\t{NOTHING}"
    else:
        keys = f"{NOTHING}\t{escape(row.email)}\t{escape(row.email.lower())}"
    mails = f"{escape(email.lower())}\t{escape(email)}" if email else NO_MAILS
    # None of these holds a letter that COPY reads as something else.
    rest = f"{phone or NOTHING}\t{locale or NOTHING}\t{time_zone or NOTHING}"
    traits = msgspec.json.encode(row.traits).decode()
    return f"{keys}\t{mails}\t{rest}\t{escape(traits)}"


def escape(text: str) -> str:
    is_plain = text.isprintable() and "\\" not in text
    return text if is_plain else text.translate(ESCAPES)
