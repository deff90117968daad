"""Names that are probably meant to be one. Pure.

Told apart by case and separators, by the order of the words, or by one letter (added,
left out, changed, or two swapped). A digit is no typing error: `Step 1` and `Step 2`
are two names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WORD = re.compile(r"[^\W\d_]+|\d+")
# `productViewed`, `HTTPFailed`: a word begins at the capital.
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# A letter in a short word makes another word; a long text has too many neighbours.
MIN_LETTERS, MAX_LETTERS = 6, 60

SPELLING, ORDER, LETTER = "spelling", "order", "letter"


@dataclass(frozen=True, slots=True)
class Similar:
    """`other` is probably meant to be `kept`, the one that stands first in the list."""

    kept: str
    other: str
    why: str


def list_similar(names: Sequence[str]) -> list[Similar]:
    """Each name beside the first one it resembles; the surest likeness counts."""
    found: list[Similar] = []
    seen: dict[str, str] = {}
    for name in names:
        words = split_words(name)
        plain = "".join(words)
        if not plain:
            continue
        keys = list(list_keys(words))
        kept = next(
            ((why, seen[key]) for key, why in keys if _is_like(seen, key, plain, why)),
            None,
        )
        if kept is not None:
            found.append(Similar(kept[1], name, kept[0]))
        for key, _ in keys:
            seen.setdefault(key, name)
    return found


def _is_like(seen: dict[str, str], key: str, plain: str, why: str) -> bool:
    if key not in seen:
        return False
    if why != LETTER:
        return True
    other = "".join(split_words(seen[key]))
    return _hide_digits(other, plain) and differ_by_one(other, plain)


def _hide_digits(one: str, other: str) -> bool:
    """Whether the two hold the same digits."""
    return re.sub(r"\D", "", one) == re.sub(r"\D", "", other)


def split_words(name: str) -> list[str]:
    parts = CAMEL.sub(" ", name)
    return [word.casefold() for word in WORD.findall(parts)]


def list_keys(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What names alike have in common, the surest first."""
    plain = "".join(words)
    yield f"={plain}", SPELLING
    yield f"~{' '.join(sorted(words))}", ORDER
    if MIN_LETTERS <= len(plain) <= MAX_LETTERS:
        for short in sorted(set(_leave_one_out(plain))):
            yield f"-{short}", LETTER


def _leave_one_out(text: str) -> Iterable[str]:
    """Texts that differ by one letter share one of these."""
    yield text
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]


def differ_by_one(one: str, other: str) -> bool:
    """One letter added, left out or changed, or two neighbours swapped."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return max(len(a), len(b)) == 1 or (len(a) == 2 and a == b[::-1])
