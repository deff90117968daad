"""Port `personal_data`: every app that stores something about a contact.

A test finds models with a contact key that no holder covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class PersonalDataHolder(Protocol):
    """Each method runs inside the caller's transaction, contacts locked."""

    # "app_label.model" of everything this holder answers for.
    models: Sequence[str]
    # Those of them that only follow from what others keep, or lead to it: they are no
    # reason to keep a contact whose import is undone, and go with them.
    derived: Sequence[str]

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        """Re-point rows of source to target; answers the journal of the undo, plain
        data ready for JSON."""

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        """Give source back what its journal says; what went since is passed over."""

    def count(self, contact_id: int) -> Mapping[str, int]:
        """How many rows a merge would move, by words for staff."""

    def export(self, contact_id: int) -> Mapping[str, Any]:
        """Plain data of this contact, ready for JSON."""

    def erase(self, contact_id: int) -> Mapping[str, int]:
        """Remove or unname what is kept; answers counts by model."""


_holders: list[PersonalDataHolder] = []


def register_holder(holder: PersonalDataHolder) -> None:
    _holders.append(holder)


def personal_data_holders() -> Sequence[PersonalDataHolder]:
    return tuple(_holders)
