"""Port `sheets`: what can be exported, and for which people.

The app that stores something registers a sheet of it; the app that knows groups of
people registers how to choose one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from crm.ports.facts import Sql


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table for export. `rows` streams plain values; given the SQL of contact ids,
    it answers theirs alone."""

    name: str
    label: str
    # The right to see such rows, "crm.view_contact".
    right: str
    heading: Sequence[str]
    rows: Callable[[Sql | None], Iterator[Sequence[Any]]]


class Groups(Protocol):
    """Groups of people by slug."""

    def list_groups(self) -> Sequence[tuple[str, str]]:
        """(slug, name) of each."""

    def select_people(self, slug: str) -> Sql:
        """`SELECT contact_id …` of the people in it now."""


_sheets: dict[str, Sheet] = {}
_groups: list[Groups] = []


def register_sheet(sheet: Sheet) -> None:
    _sheets[sheet.name] = sheet


def register_groups(groups: Groups) -> None:
    _groups.append(groups)


def list_sheets() -> Sequence[Sheet]:
    return tuple(_sheets.values())


def find_sheet(name: str) -> Sheet | None:
    return _sheets.get(name)


def list_groups() -> list[tuple[str, str]]:
    return [pair for groups in _groups for pair in groups.list_groups()]


def select_people(slug: str) -> Sql | None:
    """None where no group is called so."""
    for groups in _groups:
        if slug in dict(groups.list_groups()):
            return groups.select_people(slug)
    return None
