"""Port `timeline`: what other apps add to the contact page and its timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline. `kind` picks the icon, `url` opens the source."""

    at: datetime
    kind: str
    title: str
    detail: str = ""
    url: str = ""
    tone: str = "neutral"


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled table on the contact page: rows of (label, value, url)."""

    title: str
    rows: Sequence[tuple[str, str, str]] = field(default_factory=tuple)
    empty: str = ""


class TimelineProvider(Protocol):
    def entries(
        self, contact_id: int, *, before: datetime, limit: int
    ) -> Sequence[Entry]: ...

    def panels(self, contact_id: int) -> Sequence[Panel]: ...


_providers: list[TimelineProvider] = []


def register_timeline(provider: TimelineProvider) -> None:
    _providers.append(provider)


def timeline_providers() -> Sequence[TimelineProvider]:
    return tuple(_providers)
