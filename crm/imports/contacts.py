"""Rows of people: read and checked beside the database's work, then taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from crm.events.bulk import count_people, find_owners, list_addresses, save_people
from crm.events.identity import IdentityRaceLost, Key
from crm.events.lines import Lines, Said, list_keys, write_lines
from crm.events.schema import MAX_ID
from crm.events.tombstones import find_erased, has_tombstones
from crm.events.traits import clean_column
from crm.imports.cells import Problem
from crm.imports.files import Row
from crm.imports.mapping import Column
from crm.imports.taken import ERASED, Reading, Refused, Taken, Touch, read_value

# Where a wrong value is refused, not kept as a plain trait: a file can be mended.
CHECKED: Final = {
    "email": ("email", "invalid_email", "Not an e-mail address."),
    "phone": ("phone", "invalid_phone", "Not a number with its country, +44 …"),
    "locale": ("locale", "invalid_locale", "Not a language such as en or pt-BR."),
    "timezone": ("time_zone", "invalid_time_zone", "Not a zone as Europe/London."),
}
# Room for the prefix of an e-mail that is a person's only key.
MAX_EMAIL: Final = 249


@dataclass(frozen=True, slots=True)
class People:
    """A chunk as it was read, before the database is asked anything; `rows` are those
    that `lines` were written of."""

    lines: Lines
    rows: Sequence[Row]
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Field:
    """A column that is not left out: where it stands, and the trait that it says; ''
    where it is the external id. `check` is the key of CHECKED."""

    at: int
    column: Column
    trait: str
    check: str


def read_people(rows: Sequence[Row], reading: Reading) -> People:
    """An empty cell says nothing: what was there stays."""
    fields = list_fields(reading)
    refused: list[Refused] = []
    said: list[Said] = []
    kept: list[Row] = []
    for row in rows:
        problems: list[Problem] = []
        one = read_contact(row, fields, reading, problems)
        if problems:
            refused.append((row, problems))
        else:
            said.append(one)
            kept.append(row)
    return People(write_lines(said), kept, refused)


def list_fields(reading: Reading) -> list[Field]:
    return [
        Field(at, column, name_trait(column), column.to if column.to in CHECKED else "")
        for at, column in enumerate(reading.columns)
        if column.to
    ]


def name_trait(column: Column) -> str:
    if column.to == "external_id":
        return ""
    return column.name if column.is_free else column.to


def take_contacts(people: People, *, at: datetime, dry: bool) -> Taken:
    people = leave_out_erased(people)
    taken = Taken(refused=list(people.refused), has_staged=not dry)
    if dry:
        outcomes = count_people(people.lines, at=at)
    else:
        outcomes, touches = save_people(people.lines, at=at)
        taken.touches = [Touch(t.made, t.contact_id, before=t.before) for t in touches]
    check_still_unknown(people, outcomes)
    taken.new = outcomes.count("new")
    taken.changed = outcomes.count("changed")
    taken.same = outcomes.count("same")
    return taken


def leave_out_erased(people: People) -> People:
    """Rows that would make an erased person anew are refused. One query where nobody
    was ever erased, one more where somebody was, and one where it is about them."""
    if not has_tombstones():
        return people
    said = people.lines.said
    keys_of = [list_own_keys(one) for one in said]
    erased = find_erased(set[Key]().union(*keys_of))
    if erased.isdisjoint(set[Key]().union(*keys_of)):
        return people
    owners = find_owners({key for one in said for key in list_keys(one)})
    back = {
        n
        for n, one in enumerate(said)
        if not erased.isdisjoint(keys_of[n])
        and owners.keys().isdisjoint(list_keys(one))
    }
    return People(
        write_lines([one for n, one in enumerate(said) if n not in back]),
        [row for n, row in enumerate(people.rows) if n not in back],
        [*people.refused, *((people.rows[n], [ERASED]) for n in sorted(back))],
    )


def check_still_unknown(people: People, outcomes: Sequence[str]) -> None:
    """Raises IdentityRaceLost where somebody was erased between the look for erased
    people and the look for those known, and would be made anew."""
    if not has_tombstones():
        return
    said = zip(people.lines.said, outcomes, strict=True)
    new = [one for one, outcome in said if outcome == "new"]
    if find_erased({key for one in new for key in list_own_keys(one)}):
        raise IdentityRaceLost


def list_own_keys(said: Said) -> set[Key]:
    """All that would lead to whom this row makes."""
    return {*list_keys(said), *list_addresses(said)}


def read_contact(
    row: Row, fields: Sequence[Field], reading: Reading, problems: list[Problem]
) -> Said:
    traits: dict[str, Any] = {}
    external_id = ""
    for one in fields:
        text = row.cells[one.at]
        if not text:
            continue
        value = read_value(one.column, text, reading, problems)
        if not one.trait:
            external_id = text
            continue
        traits[one.trait] = value
        if one.check:
            check_address(one, text, problems)
    email = str(traits.get("email") or "")
    check_keys(external_id, email, problems)
    return Said(external_id, email, traits)


def check_keys(external_id: str, email: str, problems: list[Problem]) -> None:
    if len(external_id) > MAX_ID:
        problems.append(Problem("too_long", f"An id longer than {MAX_ID} characters."))
    if external_id:
        return
    if not email and not problems:
        problems.append(Problem("nobody", "The row says neither an id nor an e-mail."))
    if len(email) > MAX_EMAIL:
        problems.append(Problem("too_long", "The e-mail is too long to be an id."))


def check_address(said: Field, text: str, problems: list[Problem]) -> None:
    column, code, message = CHECKED[said.check]
    if clean_column(column, text) is None:
        problems.append(Problem(code, message, said.column.heading))
