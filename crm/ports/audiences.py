"""Port `audiences`: what is made downstream of a group of people.

A segment shows who sends to it, and how many of its people a message could reach.
Both are known where messages are decided, which a segment knows nothing of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crm.ports.facts import Sql


@dataclass(frozen=True, slots=True)
class Use:
    """Something that acts on a segment. `is_live`: its people feel a changed rule."""

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


def register_audiences(provider: AudienceProvider) -> None:
    _providers.append(provider)


def list_uses(segment_id: int) -> list[Use]:
    """By every provider, what is live first."""
    found = [use for one in _providers for use in one.list_uses(segment_id)]
    return sorted(found, key=lambda use: (not use.is_live, use.kind, use.name))


def audience_providers() -> Sequence[AudienceProvider]:
    return tuple(_providers)
