"""Port `audiences`: what is made downstream of a group of people, or of a trait.

A segment shows who sends to it, and how many of its people a message could reach.
Both are known where messages are decided, which a segment knows nothing of. So does a
computed trait show which rules ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from crm.ports.facts import Sql

# Of what uses something, as many are named in a sentence.
SHOWN_USERS: Final = 5


@dataclass(frozen=True, slots=True)
class Use:
    """Something that acts on a segment, or asks for a trait. `is_live`: people feel it
    when that changes."""

    kind: str
    name: str
    state: str
    url: str
    is_live: bool

    def __str__(self) -> str:
        return f"{self.kind} “{self.name}”"


@dataclass(frozen=True, slots=True)
class ChannelReach:
    """Everybody in `people` is in `reachable` or under one of the reasons.

    `is_cut`: the group is larger than what was looked at. `note` says what stands in
    everybody's way.
    """

    channel: str
    people: int
    reachable: int
    reasons: Sequence[tuple[str, int]]
    is_cut: bool = False
    note: str = ""


class AudienceProvider(Protocol):
    def list_uses(self, segment_id: int) -> Sequence[Use]:
        """What sends to this segment, or is drafted to; nothing that has ended."""

    def list_subjects(self) -> Sequence[tuple[str, str]]:
        """(key, label) of what a message may be about; the first is the usual."""

    def measure_reach(
        self, people: Sql, *, subject: str, at: datetime
    ) -> Sequence[ChannelReach]:
        """Each channel's reach. `people` selects contact_id; LookupError where the
        subject is unknown."""


_providers: list[AudienceProvider] = []
# What asks for the trait of this key.
_trait_users: list[Callable[[str], Sequence[Use]]] = []


def register_audiences(provider: AudienceProvider) -> None:
    _providers.append(provider)


def list_uses(segment_id: int) -> list[Use]:
    """By every provider, what is live first."""
    return _sort(use for one in _providers for use in one.list_uses(segment_id))


def register_trait_uses(list_users: Callable[[str], Sequence[Use]]) -> None:
    _trait_users.append(list_users)


def list_trait_uses(key: str) -> list[Use]:
    """What asks for a trait, by everybody who registered; what is live first."""
    return _sort(use for list_users in _trait_users for use in list_users(key))


def _sort(uses: Iterable[Use]) -> list[Use]:
    return sorted(uses, key=lambda use: (not use.is_live, use.kind, use.name))


def name_uses(uses: Sequence[Use]) -> str:
    """`campaign “Win back”, segment “VIPs” and 3 more`."""
    named = ", ".join(str(use) for use in uses[:SHOWN_USERS])
    more = len(uses) - SHOWN_USERS
    return f"{named} and {more} more" if more > 0 else named


def audience_providers() -> Sequence[AudienceProvider]:
    return tuple(_providers)
