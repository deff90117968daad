"""People from a list into a static segment: read, looked up, counted, then taken in.

A list names each person by external id, e-mail address or uuid. Reading and looking up
write nothing, so that they are the dry run too. Everything is done in a handful of
statements; `LINES_MAX` is how much of that a request may ask for.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Final

from django.db import connection

from crm.imports.files import BadRow, FileRefused, Row, read_csv, sniff_file
from crm.imports.mapping import guess_mapping
from crm.imports.sheets import read_xlsx
from segments.diff import Diff
from segments.editing import ADD, REMOVE, REPLACE, set_members
from segments.models import Segment

HOW: Final = {
    ADD: "Add these people",
    REPLACE: "Make these its people, and no others",
    REMOVE: "Take these people out",
}
# Lines of one list, and bytes of its file.
LINES_MAX: Final = 100_000
BYTES_MAX: Final = 10 * 1024 * 1024
TEXT_MAX: Final = 255
# An external id before an address, an address before a uuid.
FIND: Final = """
WITH said AS MATERIALIZED (
  SELECT s.line, s.text, s.uuid
  FROM unnest(%s::int[], %s::text[], %s::uuid[]) AS s(line, text, uuid)),
found AS (
  SELECT s.line, 1 AS rank, i.contact_id FROM said s
  JOIN crm_identifier i ON i.kind = 'external_id' AND i.value = s.text
  UNION ALL SELECT s.line, 2, c.id FROM said s
  JOIN crm_contact c ON c.email <> '' AND lower(c.email) = lower(s.text)
  WHERE s.text LIKE '%%@%%'
  UNION ALL SELECT s.line, 3, c.id FROM said s JOIN crm_contact c ON c.uuid = s.uuid)
SELECT DISTINCT f.line, f.rank, p.id FROM found f
JOIN crm_contact c ON c.id = f.contact_id
JOIN crm_contact p ON p.id = coalesce(c.canonical_id, c.id)
WHERE p.canonical_id IS NULL AND p.erased_at IS NULL ORDER BY f.line, f.rank
"""
COUNT_HELD: Final = """
SELECT count(*), count(*) FILTER (WHERE m.contact_id = ANY(%s::bigint[]))
FROM segments_membership m WHERE m.segment_id = %s
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line names. `line` is where it stands, from 1 in a file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that names nobody, and why."""

    line: int
    text: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The people of a list, each once, and the lines that are nobody's."""

    people: tuple[int, ...]
    lines: int
    refused: tuple[Refusal, ...]

    @property
    def repeated(self) -> int:
        return self.lines - len(self.refused) - len(self.people)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a list would do, or did: people who come, go and stay."""

    entering: int
    leaving: int
    staying: int


def read_list(file: BinaryIO) -> list[Entry | Refusal]:
    """The lines of a CSV or Excel file; FileRefused where it is no list of people.

    A table says by its heading which column is the id or the address; a single column
    may do without a heading.
    """
    if file.seek(0, 2) > BYTES_MAX:
        raise FileRefused(f"The file is larger than {BYTES_MAX // 1024**2} MB.")
    sniffed = sniff_file(file)
    if sniffed.fault:
        raise FileRefused(f"{sniffed.fault} Save it as UTF-8.")
    rows = (
        read_xlsx(file)
        if sniffed.format == "xlsx"
        else read_csv(file, encoding=sniffed.encoding, delimiter=sniffed.delimiter)
    )
    found: list[Entry | Refusal] = []
    for entry in read_entries(rows):
        if len(found) >= LINES_MAX:
            raise FileRefused(f"The list is longer than {LINES_MAX:,} lines.")
        found.append(entry)
    if not found:
        raise FileRefused("The list names nobody.")
    return found


def read_pasted(text: str) -> list[Entry | Refusal]:
    """One person a line; what `read_list` reads of a file."""
    return read_list(io.BytesIO(text.encode("utf-8", "replace")))


def read_entries(rows: Iterator[Row | BadRow]) -> Iterator[Entry | Refusal]:
    first = next(rows, None)
    if first is None:
        return
    columns = find_columns(first)
    if columns is None:
        columns = [0]
        yield read_entry(first, columns)
    for row in rows:
        yield read_entry(row, columns)


def find_columns(first: Row | BadRow) -> list[int] | None:
    """Where ids and addresses stand, by the heading; None where there is none."""
    if isinstance(first, BadRow):
        return None
    guessed = guess_mapping("contacts", first.cells, [])
    places = {column.to: n for n, column in enumerate(guessed) if column.to}
    found = [places[to] for to in ("external_id", "email") if to in places]
    if found:
        return found
    if sum(map(bool, first.cells)) > 1:
        raise FileRefused(
            "The file has several columns: call one of them external_id or email."
        )
    return None


def read_entry(row: Row | BadRow, columns: Sequence[int]) -> Entry | Refusal:
    if isinstance(row, BadRow):
        return Refusal(row.line, "", row.problem.code, row.problem.message)
    cells = [row.cells[n] for n in columns if n < len(row.cells)]
    text = next(filter(None, cells), "")
    if not text:
        return Refusal(row.line, "", "empty", "The cell is empty.")
    if len(text) > TEXT_MAX or "\x00" in text or not is_plain(text):
        words = "No id or address is so long, or has such signs."
        shown = text[:80].replace("\x00", "�").encode("utf-8", "replace").decode()
        return Refusal(row.line, shown, "unreadable", words)
    return Entry(row.line, text)


def is_plain(text: str) -> bool:
    """Without halves of letters, which a broken file leaves and SQL refuses."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def find_listed(entries: Sequence[Entry | Refusal]) -> Listed:
    """Look everybody up by one statement. Merged people are who they became."""
    refused = [one for one in entries if isinstance(one, Refusal)]
    said = [one for one in entries if isinstance(one, Entry)]
    found = find_people(said)
    people: set[int] = set()
    for one in said:
        ids = found.get(one.line, ())
        if len(ids) == 1:
            people.update(ids)
        elif ids:
            words = f"{len(ids)} people have this address: say the external id."
            refused.append(Refusal(one.line, one.text, "ambiguous", words))
        else:
            words = "Nobody is known by this."
            refused.append(Refusal(one.line, one.text, "unknown", words))
    refused.sort(key=lambda one: one.line)
    return Listed(tuple(sorted(people)), len(entries), tuple(refused))


def find_people(said: Sequence[Entry]) -> dict[int, list[int]]:
    """Contact ids by line, of the first kind of name that finds somebody."""
    lines = [one.line for one in said]
    texts = [one.text for one in said]
    uuids = [read_uuid(text) for text in texts]
    ranks: dict[int, int] = {}
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(FIND, [lines, texts, uuids])
        for line, rank, contact_id in cursor.fetchall():
            if ranks.setdefault(line, rank) == rank:
                found.setdefault(line, []).append(contact_id)
    return found


def read_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def measure_fill(segment: Segment, people: Sequence[int], how: str) -> Outcome:
    """What the list would do now; writes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_HELD, [list(people), segment.pk])
        held, listed = cursor.fetchone()
    if how == REMOVE:
        return Outcome(0, listed, held - listed)
    if how == REPLACE:
        return Outcome(len(people) - listed, held - listed, listed)
    return Outcome(len(people) - listed, 0, held)


def fill_segment(
    segment: Segment,
    people: Sequence[int],
    how: str,
    *,
    actor: Any,
    at: datetime,
    origin: str,
) -> Diff:
    """Take the list in; `origin` says in each change where it came from."""
    reason = f"by hand: {origin}"
    return set_members(segment, people, actor=actor, at=at, how=how, reason=reason)
