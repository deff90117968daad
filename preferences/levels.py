"""How levels of choice add up: one verdict out of what a person said. Pure.

A level is (channel, topic id): ('', None) is the master switch, ('push', None)
a whole channel, ('', 7) a topic, ('push', 7) a topic on one channel. A no at a
wider level beats every yes below it; a yes counts only for what it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

Level = tuple[str, int | None]

MASTER: Level = ("", None)
SUBSCRIBED, PENDING, UNSUBSCRIBED = "subscribed", "pending", "unsubscribed"
# The stricter of two words wins when two contacts become one.
STRICTNESS = {SUBSCRIBED: 0, PENDING: 1, UNSUBSCRIBED: 2}
# The letter of a word, as SQL spells it; a level without a word is a dash.
LETTERS = {"-": None, "s": SUBSCRIBED, "p": PENDING, "u": UNSUBSCRIBED}
# The letters of a topic that is on by default, transactional and active.
FLAGS = "dta"


@dataclass(frozen=True, slots=True)
class TopicRule:
    """What a topic says where the person said nothing."""

    id: int
    is_default_on: bool
    is_transactional: bool
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """`basis` names the level that decided, in words for staff."""

    allowed: bool
    basis: str


def name_levels(channel: str, topic: TopicRule | None) -> list[tuple[Level, str]]:
    """The levels that speak about this message, widest first."""
    levels: list[tuple[Level, str]] = [
        (MASTER, "master switch"),
        ((channel, None), f"channel {channel}"),
    ]
    if topic is not None:
        levels += [
            (("", topic.id), "topic"),
            ((channel, topic.id), f"topic on {channel}"),
        ]
    return levels


def judge_promotional(
    said: Mapping[Level, str], *, channel: str, topic: TopicRule | None
) -> Verdict:
    """Needs a yes that names it, and no word against it on any level.

    Where nothing was said the topic's default is the basis, except that the
    default of a transactional topic is no basis for promotion.
    """
    if topic is not None and not topic.is_active:
        return Verdict(False, "topic is closed")
    levels = name_levels(channel, topic)
    for level, name in levels:
        if said.get(level, SUBSCRIBED) != SUBSCRIBED:
            return Verdict(False, f"{name}: {said[level]}")
    # A yes to the master switch or a channel lifts a block; it is no yes to a topic.
    for level, name in reversed(levels[2:] if topic else levels):
        if level in said:
            return Verdict(True, f"{name}: subscribed")
    if topic is not None and topic.is_default_on and not topic.is_transactional:
        return Verdict(True, "topic: subscribed by default")
    return Verdict(False, "never opted in")


def judge_transactional(
    said: Mapping[Level, str], *, channel: str, topic: TopicRule | None
) -> Verdict:
    """Needs no opt-in; only a no to this very topic is obeyed."""
    for level, name in name_levels(channel, topic)[2:]:
        if said.get(level) == UNSUBSCRIBED:
            return Verdict(False, f"{name}: unsubscribed")
    return Verdict(True, "transactional")


@cache
def spell_agreements(purpose: str, *, with_topic: bool) -> tuple[str, ...]:
    """Everything that people can have said by which a message may go, spelt.

    A letter for each level of `name_levels`, then one for each flag of the topic, all
    judged as the gate judges: so SQL asks for many people at once, and decides nothing.
    `purpose` is promotional, transactional, or '' for the topic's own.
    """
    said = product(LETTERS, repeat=4 if with_topic else 2)
    flags = product(*("-" + flag for flag in FLAGS)) if with_topic else [()]
    return tuple(
        "".join((*words, *marks))
        for words, marks in product(said, list(flags))
        if judge_spelt(words, marks, purpose).allowed
    )


def judge_spelt(words: Sequence[str], marks: Sequence[str], purpose: str) -> Verdict:
    """The verdict over what is spelt; it is the same for every channel and topic."""
    channel = "push"
    topic = None
    if marks:
        is_default_on, is_transactional, is_active = (mark != "-" for mark in marks)
        topic = TopicRule(0, is_default_on, is_transactional, is_active)
    levels = [level for level, _ in name_levels(channel, topic)]
    letters = zip(levels, words, strict=True)
    said = {level: word for level, one in letters if (word := LETTERS[one])}
    own = "transactional" if not topic or topic.is_transactional else "promotional"
    judge = (
        judge_transactional
        if (purpose or own) == "transactional"
        else judge_promotional
    )
    return judge(said, channel=channel, topic=topic)


def is_topic_on(said: Mapping[Level, str], topic: TopicRule) -> bool:
    """The topic's own switch: its word, else its default or a yes on a channel."""
    word = said.get(("", topic.id))
    if word is not None:
        return word == SUBSCRIBED
    return topic.is_default_on or any(
        state == SUBSCRIBED and level[1] == topic.id for level, state in said.items()
    )


def is_cell_on(said: Mapping[Level, str], topic: TopicRule, channel: str) -> bool:
    """One topic on one channel, leaving wider switches aside."""
    word = said.get((channel, topic.id), said.get(("", topic.id)))
    return topic.is_default_on if word is None else word == SUBSCRIBED


def is_master_on(said: Mapping[Level, str], topics: Iterable[TopicRule]) -> bool:
    """Where nothing was said, on as soon as anything it governs is on."""
    if MASTER in said:
        return said[MASTER] == SUBSCRIBED
    return any(is_topic_on(said, topic) for topic in topics if governs_topic(topic))


def governs_topic(topic: TopicRule) -> bool:
    """Whether the master switch decides over this topic."""
    return not topic.is_transactional


def part_words(
    one: str | None, other: str | None, now: str | None
) -> tuple[str | None, str | None]:
    """What two contacts say again that were one, by what each said before.

    A word said since stays with `other`, who was told it. A no said since holds for
    both: nobody can tell which of the two said it.
    """
    if now == pick_strictest(one, other):
        return one, other
    return (UNSUBSCRIBED if now == UNSUBSCRIBED else one), now


def pick_strictest(one: str | None, other: str | None) -> str | None:
    """The stricter word; silence (None) takes the other's word."""
    words = [word for word in (one, other) if word is not None]
    return max(words, key=STRICTNESS.__getitem__, default=None)
