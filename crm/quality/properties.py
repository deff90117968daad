"""Properties that change their type, are new, or resemble another of their event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min

from crm.events.value_kinds import KINDS
from crm.events.words import describe_properties
from crm.models import Event, PropertyKind
from crm.quality.names import Similar, list_similar

RECENT = timedelta(days=7)
# Rows that the page reads, the last seen first.
MAX_KINDS = 20_000
# Events in which examples are looked for, and examples of each kind.
MAX_EVENTS = 300
MAX_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Clash:
    """A property seen with several kinds in the last seven days."""

    name: str
    property: str
    kinds: Sequence[PropertyKind]


@dataclass(frozen=True, slots=True)
class Properties:
    clashes: Sequence[Clash]
    similar: Sequence[tuple[str, Similar]]
    new: Sequence[PropertyKind]

    @property
    def findings(self) -> int:
        return len(self.clashes) + len(self.similar)


@dataclass(frozen=True, slots=True)
class Example:
    """One value as words, and where it came from."""

    kind: str
    said: str
    event: Event


def read_properties(*, now: datetime) -> Properties:
    """Two queries; what was not sent for a week is no concern any more."""
    seen = PropertyKind.objects.seen_since(now - RECENT)
    rows = list(seen.order_by("-last_seen_at", "pk")[:MAX_KINDS])
    by_name: dict[str, dict[str, list[PropertyKind]]] = defaultdict(dict)
    for row in rows:
        by_name[row.name].setdefault(row.property, []).append(row)
    return Properties(
        clashes=list(list_clashes(by_name)),
        similar=[
            (name, pair)
            for name, found in sorted(by_name.items())
            for pair in list_similar(sorted(found, key=lambda p: _first(found[p])))
        ],
        new=list_new(rows, now),
    )


Found = Mapping[str, Mapping[str, list[PropertyKind]]]


def list_clashes(by_name: Found) -> Iterator[Clash]:
    for name, found in sorted(by_name.items()):
        for key, kinds in sorted(found.items()):
            if len(kinds) > 1:
                yield Clash(name, key, sorted(kinds, key=lambda k: k.first_seen_at))


def _first(kinds: Sequence[PropertyKind]) -> datetime:
    return min(kind.first_seen_at for kind in kinds)


def list_new(rows: Sequence[PropertyKind], now: datetime) -> list[PropertyKind]:
    """New to an event that was known before; nothing in the first week."""
    firsts: dict[str, datetime] = {}
    oldest = PropertyKind.objects.values("name").annotate(at=Min("first_seen_at"))
    since = now - RECENT
    for line in oldest.filter(name__in={row.name for row in rows}):
        firsts[line["name"]] = line["at"]
    known: dict[tuple[str, str], datetime] = {}
    for row in rows:
        key = (row.name, row.property)
        known[key] = min(row.first_seen_at, known.get(key, row.first_seen_at))
    new = [
        row
        for row in rows
        if known[row.name, row.property] > since and firsts[row.name] <= since
    ]
    return sorted(new, key=lambda row: row.first_seen_at, reverse=True)


def read_examples(name: str, key: str, *, now: datetime) -> list[Example]:
    """Values of one property in the newest events of the week, some of each kind."""
    found: dict[str, list[Example]] = defaultdict(list)
    events = Event.objects.named(name, since=now - RECENT).select_related("contact")
    for event in events.order_by("-occurred_at", "-id")[:MAX_EVENTS]:
        kind = find_kind(event.properties.get(key))
        if kind and len(found[kind]) < MAX_EXAMPLES:
            said = describe_properties({key: event.properties[key]})
            found[kind].append(Example(kind, said, event))
    return [one for examples in found.values() for one in examples]


def find_kind(value: Any) -> str:
    return KINDS.get(type(value), "")
