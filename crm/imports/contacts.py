"""Rows of people: checked, then by COPY into contacts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from crm.events.bulk import Said, plan_people, save_people
from crm.events.schema import MAX_ID
from crm.events.traits import clean_column
from crm.imports.cells import Problem
from crm.imports.files import Row
from crm.imports.mapping import Column
from crm.imports.taken import Reading, Taken, Touch, read_value

# Where a wrong value is refused, not kept as a plain trait: a file can be mended.
CHECKED: Final = {
    "email": ("email", "invalid_email", "Not an e-mail address."),
    "phone": ("phone", "invalid_phone", "Not a number with its country, +44 …"),
    "locale": ("locale", "invalid_locale", "Not a language such as en or pt-BR."),
    "timezone": ("time_zone", "invalid_time_zone", "Not a zone as Europe/London."),
}
# Room for the prefix of an e-mail that is a person's only key.
MAX_EMAIL: Final = 249


def take_contacts(
    rows: Sequence[Row], reading: Reading, *, at: datetime, dry: bool
) -> Taken:
    """An empty cell says nothing: what was there stays."""
    taken, said = Taken(), []
    for row in rows:
        problems: list[Problem] = []
        one = read_contact(row, reading, problems)
        if problems:
            taken.refused.append((row, problems))
        else:
            said.append(one)
    if dry:
        outcomes = plan_people(said, at=at).outcomes
    else:
        outcomes, touches = save_people(said, at=at)
        taken.touches = [Touch(t.made, t.contact_id, before=t.before) for t in touches]
    taken.new = outcomes.count("new")
    taken.changed = outcomes.count("changed")
    taken.same = outcomes.count("same")
    return taken


def read_contact(row: Row, reading: Reading, problems: list[Problem]) -> Said:
    traits: dict[str, Any] = {}
    external_id = ""
    for column, text in zip(reading.columns, row.cells, strict=True):
        if not column.to or not text:
            continue
        value = read_value(column, text, reading, problems)
        if column.to == "external_id":
            external_id = text
        else:
            check_address(column, text, problems)
            traits[column.name if column.is_free else column.to] = value
    email = str(traits.get("email") or "")
    if len(external_id) > MAX_ID:
        problems.append(Problem("too_long", f"An id longer than {MAX_ID} characters."))
    if not external_id and not email and not problems:
        problems.append(Problem("nobody", "The row says neither an id nor an e-mail."))
    if not external_id and len(email) > MAX_EMAIL:
        problems.append(Problem("too_long", "The e-mail is too long to be an id."))
    return Said(external_id, email, traits)


def check_address(column: Column, text: str, problems: list[Problem]) -> None:
    check = CHECKED.get(column.to)
    if check and clean_column(check[0], text) is None:
        problems.append(Problem(check[1], check[2], column.heading))
