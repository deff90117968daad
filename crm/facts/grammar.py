"""Small readers that are put together to read a description back. Pure.

A reader takes a text and a place in it, and answers what it read and where it ended,
or None. Alternatives are tried in order and the first one stands (a parsing expression
grammar, Ford 2004), so reading takes time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crm.facts.naming import SIMPLE
from crm.ports.facts import Spoken as Read


def spell(words: str) -> Read:
    """Exactly these words; reads nothing of use."""

    def read(text: str, at: int) -> tuple[None, int] | None:
        return (None, at + len(words)) if text.startswith(words, at) else None

    return read


def match(pattern: str, make: Callable[[re.Match[str]], Any]) -> Read:
    form = re.compile(pattern)

    def read(text: str, at: int) -> tuple[Any, int] | None:
        found = form.match(text, at)
        return (make(found), found.end()) if found else None

    return read


def line(*parts: Read | str) -> Read:
    """One after the other; reads the list of what the readers read, words left out."""
    readers = [(spell(part), False) if isinstance(part, str) else (part, True)
               for part in parts]  # fmt: skip

    def read(text: str, at: int) -> tuple[list[Any], int] | None:
        values = []
        for reader, counts in readers:
            found = reader(text, at)
            if found is None:
                return None
            value, at = found
            values += [value] if counts else []
        return values, at

    return read


def either(*readers: Read) -> Read:
    def read(text: str, at: int) -> tuple[Any, int] | None:
        for reader in readers:
            if found := reader(text, at):
                return found
        return None

    return read


def one_of(words: Mapping[str, Any]) -> Read:
    """One of the phrases, the longest that fits; reads what it stands for."""
    longest = sorted(words.items(), key=lambda item: -len(item[0]))
    return either(*(mean(said, value) for said, value in longest))


def mean(words: str, value: Any) -> Read:
    """These words, which stand for the value."""
    return turn(spell(words), lambda _: value)


def maybe(reader: Read, otherwise: Any = None) -> Read:
    return either(reader, lambda text, at: (otherwise, at))


def some(reader: Read, joint: str) -> Read:
    """One or more with the joint between; reads the list."""
    rest = line(joint, reader)

    def read(text: str, at: int) -> tuple[list[Any], int] | None:
        found = reader(text, at)
        if found is None:
            return None
        values = [found[0]]
        while more := rest(text, found[1]):
            values.append(more[0][0])
            found = more
        return values, found[1]

    return read


def turn(reader: Read, make: Callable[[Any], Any]) -> Read:
    """What was read, made into something else."""

    def read(text: str, at: int) -> tuple[Any, int] | None:
        found = reader(text, at)
        return (make(found[0]), found[1]) if found else None

    return read


def pick(reader: Read) -> Read:
    """The one thing that a line reads."""
    return turn(reader, lambda read: read[0])


def merge(parts: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """One object of several; None adds nothing."""
    return {key: value for part in parts for key, value in (part or {}).items()}


QUOTED = match("“((?:[^”]|””)*)”(?!”)", lambda found: found[1].replace("””", "”"))
NAME = either(QUOTED, match(SIMPLE.pattern, lambda found: found[0]))
