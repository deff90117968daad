"""The words a sentence is read by: numbers, units, and the names that arrived. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

# Beyond this, JSON numbers lose exactness.
NUMBER_MAX = 2.0**53
NUMBERS = {
    **{"zero": 0, "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4},
    **{"five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10},
    **{"eleven": 11, "twelve": 12, "fourteen": 14, "fifteen": 15, "twenty": 20},
    **{"thirty": 30, "sixty": 60, "ninety": 90},
}
NUMBER = (
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|"
    + "|".join(rf"{word}\b" for word in NUMBERS)
    + ")"
)
# A unit of a sentence in units of a window: months are 30 days, years 365.
UNITS = {
    "second": (1, "seconds"),
    "minute": (1, "minutes"),
    "hour": (1, "hours"),
    "day": (1, "days"),
    "week": (7, "days"),
    "month": (30, "days"),
    "year": (365, "days"),
}
# One character for one, so that places in the sentence stay what they are.
LIKE = str.maketrans("’‘‛`´“”„«»\u00a0\t\n", "'''''\"\"\"\"\"   ")
WORD = re.compile(r"[^\W_]+(?:[.'-][^\W_]+)*")
# Left out where names are compared: "added a product to the cart".
ARTICLES = frozenset(("a", "an", "the", "their", "our", "my", "his", "her", "its"))


def fold(text: str) -> str:
    """Lower case with plain quotes and blanks, each character at its place."""
    low = "".join(one if len(one) == 1 else "?" for one in map(str.lower, text))
    return low.translate(LIKE)


def split_words(name: str) -> list[str]:
    """`app_open`, `appOpen` and `App Open` are the same words."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return WORD.findall(fold(parted).replace("_", " "))


def stem(word: str) -> str:
    """`viewed`, `views` and `viewing` to `view`; crude, and alike on both sides."""
    for end in ("ing", "ed", "es", "s", "e"):
        if word.endswith(end) and len(word) - len(end) >= 3:
            word = word[: -len(end)]
            break
    # "shipped" and "ship", "cancelled" and "cancel".
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def bag_words(words: Iterable[str]) -> tuple[str, ...]:
    """Stems in no order, articles left out."""
    return tuple(sorted(stem(word) for word in words if word not in ARTICLES))


def read_number(text: str) -> float:
    """Of what `NUMBER` matches; a whole number where it is one."""
    if text in NUMBERS:
        return NUMBERS[text]
    # Four hundred nines are no number; such a one is refused with the rule it makes.
    number = min(float(text.replace(",", "")), NUMBER_MAX)
    return int(number) if number.is_integer() else number


@dataclass(frozen=True)
class Vocabulary:
    """The names that a sentence may mean: those that arrived, and no others.

    `traits` gives the known values of each; `products`, `segments`, `topics` and
    `campaigns` lead from the name that people say to the code, the slug, the key and
    the name.
    """

    events: tuple[str, ...] = ()
    traits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    products: Mapping[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    segments: Mapping[str, str] = field(default_factory=dict)
    topics: Mapping[str, str] = field(default_factory=dict)
    campaigns: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def event_bags(self) -> Mapping[tuple[str, ...], tuple[str, ...]]:
        """Events by their words; two that share them are told apart by nobody."""
        found: dict[tuple[str, ...], tuple[str, ...]] = {}
        for name in self.events:
            bag = bag_words(split_words(name))
            found[bag] = (*found.get(bag, ()), name)
        return found

    def match_event(
        self, text: str, start: int, *, lead: str = ""
    ) -> tuple[tuple[str, ...], int] | None:
        """The events that the longest run of words at `start` names, and its end.

        `lead` is a word to read before them.
        """
        words = [lead] if lead else []
        best = None
        for word, end in walk_words(text, start):
            words.append(word)
            names = self.event_bags.get(bag_words(words))
            if names:
                best = names, end
            if len(words) > 8:
                break
        return best


def walk_words(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Words from `start` on with only blanks between, and where each ends."""
    place = start
    while found := WORD.match(text, place):
        yield found[0], found.end()
        place = found.end()
        while text[place : place + 1] == " ":
            place += 1


def match_name(names: Iterable[str], text: str, start: int) -> tuple[str, int] | None:
    """The longest of the names that stands at `start`, whole words, quoted or not."""
    best = None
    for name in names:
        said = fold(name)
        # "Gadget buyers" are buyers of Gadgets.
        for form in (f'"{said}"', said, said[:-1] if said.endswith("s") else ""):
            end = start + len(form)
            if not form or not text.startswith(form, start):
                continue
            if not text[end : end + 1].isalnum() and (best is None or end > best[1]):
                best = name, end
    return best
