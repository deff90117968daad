"""Port `facts`: what segment rules may ask about, each kind with its own SQL.

A source turns one leaf of a rule (a JSON object with a `type`) into a condition:
an immutable value that describes itself in plain English and answers with SQL.
The engine in `segments` combines the answers and knows no table of its own.

Two promises every source keeps:

- values reach SQL as parameters only, never as text;
- a select answers each contact once, and only contacts that are neither merged
  away nor erased (a merge moves the facts, an erasure removes them).

Time windows are half-open, `(at - window, at]`: what happened exactly one window
ago no longer counts, so a membership ends at that very second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

# In `Mentions.events`: the answer may move with an event of any name.
ANY_EVENT = "*"
# In `Mentions.traits`: the answer moves when a device is added, changed or lost.
DEVICE_CHANGED = "$device"
# In `Mentions.traits`: the answer moves, for anybody, with an item of a catalog.
CATALOG_CHANGED = "$catalog"


class RuleError(ValueError):
    """A rule that cannot be: `path` names the node, as in `root.all[1].within`."""

    def __init__(self, path: str, code: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Sql:
    """SQL text with `%s` placeholders, and its parameters in order."""

    text: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """As of when, and about whom; `contacts` None means everybody."""

    at: datetime
    contacts: tuple[int, ...] | None = None

    def limit(self, column: str) -> Sql:
        """A condition, starting with AND, that keeps `column` inside the scope."""
        if self.contacts is None:
            return Sql("")
        return Sql(f" AND {column} = ANY(%s::bigint[])", (list(self.contacts),))


@dataclass(frozen=True, slots=True)
class Selection:
    """`SELECT contact_id …`; `negated`: everybody but these."""

    sql: Sql
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Mentions:
    """What can move the answer of a condition, besides time."""

    events: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()

    def __or__(self, other: Mentions) -> Mentions:
        return Mentions(
            self.events | other.events,
            self.traits | other.traits,
            self.segments | other.segments,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts behind an answer: one row, and how to say it in English."""

    sql: Sql
    wording: Callable[[Sequence[Any] | None], str]


class Condition(Protocol):
    """A validated leaf. Pure: no clock, no queries, no randomness."""

    def describe(self) -> str:
        """Plain English that fits after "people who"."""

    def select(self, scope: Scope) -> Selection: ...

    def wake(self, scope: Scope) -> Sql | None:
        """`SELECT contact_id, wake_at`: when time alone may change the answer.

        Never later than the first such moment, may be earlier; None where time
        alone changes nothing.
        """

    def mentions(self) -> Mentions: ...

    def evidence(self, scope: Scope) -> Evidence:
        """For one contact: `scope.contacts` holds exactly one id."""


@dataclass(frozen=True, slots=True)
class Input:
    """One field of an editor; `path` is where its value stands in the node.

    Controls: text, names (one text or a list), value (typed as JSON where it reads
    so), number, choice, choices, check, filters, step and steps (names of events, or
    their JSON).
    """

    path: str
    label: str
    control: str
    choices: tuple[tuple[str, str], ...] = ()
    # The list of suggestions to offer: events, traits, segments, properties.
    suggest: str = ""
    # Of a check: what a node means that does not say it.
    is_on: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """One kind of condition, as editors offer it."""

    kind: str
    label: str
    hint: str
    blank: Mapping[str, Any]
    inputs: tuple[Input, ...] = field(default_factory=tuple)


class FactSource(Protocol):
    def terms(self) -> Sequence[Term]:
        """The vocabulary: kinds of leaves this source understands."""

    def parse(self, node: Mapping[str, Any], path: str) -> Condition:
        """A condition of a node whose `type` is ours, or RuleError."""


_sources: dict[str, FactSource] = {}
# Set once, by whoever may ask the database.
_zones: list[Callable[[], Sequence[str]]] = []


def register_zones(list_zones: Callable[[], Sequence[str]]) -> None:
    _zones[:] = [list_zones]


def list_known_zones() -> Sequence[str]:
    """Time zones that SQL may name: the database knows each of them."""
    return _zones[0]() if _zones else ("UTC",)


def register_facts(source: FactSource) -> None:
    _sources.update({term.kind: source for term in source.terms()})


# Reads the English of a condition back to its node: (text, place) → (node, end), or
# None where it is of another kind.
Spoken = Callable[[str, int], tuple[Any, int] | None]
_spoken: list[Spoken] = []


def register_spoken(readers: Sequence[Spoken]) -> None:
    _spoken.extend(readers)


def list_spoken() -> Sequence[Spoken]:
    return tuple(_spoken)


def find_fact_source(kind: str) -> FactSource | None:
    return _sources.get(kind)


def list_terms() -> list[Term]:
    """Every kind of condition, in order of registration."""
    sources = {id(source): source for source in _sources.values()}
    return [term for source in sources.values() for term in source.terms()]


# What a sentence may name, by kind: from the name that people say to the key.
_names: dict[str, Callable[[], Mapping[str, str]]] = {}


def register_names(kind: str, read: Callable[[], Mapping[str, str]]) -> None:
    """Let sentences name rows of another app, such as topics."""
    _names[kind] = read


def read_names(kind: str) -> Mapping[str, str]:
    read = _names.get(kind)
    return read() if read else {}
