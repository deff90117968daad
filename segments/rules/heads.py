"""Heads of clauses that are not events: traits, devices, consent, segments. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from segments.rules.phrases import FEWER, LEAST, MORE, MOST, Cursor, Node, read_window
from segments.rules.words import (
    NUMBER,
    UNITS,
    Vocabulary,
    fold,
    match_name,
    read_number,
)

# A node, what a vague word in it was taken for, and where reading goes on.
Head = tuple[Node, str, Cursor]

NEW_DAYS = 7
PEOPLE = r"(?:users?|customers?|people|contacts?|buyers?|members?|subscribers?)"
NEW = re.compile(rf"new(?:ly)? {PEOPLE}\b|newcomers?\b")
SPAN = rf"(?:(?P<n>{NUMBER}) )?(?P<unit>{'|'.join(UNITS)})s?\b"
JOINED = re.compile(
    rf"(?:joined|came|known)(?: us)? (?:with)?in (?:the )?(?:last |past )?{SPAN}"
)
KNOWN_FOR = re.compile(rf"known (?:to us )?for (?:more than|at least|over) {SPAN}")
INACTIVE = re.compile(rf"(?:inactive|not active|dormant) (?:for|in|during) "
                      rf"(?:more than |over |the last |the past )?{SPAN}")  # fmt: skip
ACTIVE = re.compile(rf"active (?:with)?in (?:the )?(?:last |past )?{SPAN}")
PLATFORM = re.compile(
    r"(?:use|using|have|on|with|own)? ?(?:an? )?(?P<what>ios|iphone|ipad|android|web)\b"
    r"(?: (?:device|phone|app|push|user)s?)?"
)
PLATFORMS = {"iphone": "ios", "ipad": "ios"}
REACHABLE = re.compile(r"(?:can be reached|reachable)(?: by push)?")
REACHED = re.compile(r"(?:can |are )?(?:be )?(?:reached|reachable) by "
                     r"(?P<channel>push|e-?mail|sms|whatsapp)\b")  # fmt: skip
ABOUT = re.compile(r"about (?:the topic )?")
TOPIC = re.compile(r"(?P<word>subscribed|opted in|unsubscribed|opted out)"
                   r" (?:to|from|for|of) (?:the )?(?:topic )?")  # fmt: skip
SEGMENT = re.compile(r"(?:are |is )?(?:in|members? of) (?:the )?segment ")
WHOSE = re.compile(r"(?:whose|with|where|having|the|a|an|have|has)\b")
PLACE = re.compile(r"(?:live|lives|living|based|are|is)? ?(?:in|from) ")
PLACES = ("city", "country", "region", "state")
ON = re.compile(r"on (?:the )?")

COMPARISONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:is|are) not known\b|is unknown\b|is missing\b"), "not_exists"),
    (re.compile(r"(?:is|are) known\b|exists\b"), "exists"),
    (re.compile(r"(?:is|are) not\b|isn't\b|aren't\b|not\b"), "not_equals"),
    (re.compile(rf"(?:is |are |of )?{MORE}\b"), "gt"),
    (re.compile(rf"(?:is |are |of )?{LEAST}\b"), "gte"),
    (re.compile(rf"(?:is |are |of )?{FEWER}\b"), "lt"),
    (re.compile(rf"(?:is |are |of )?{MOST}\b"), "lte"),
    (re.compile(r"contains?\b"), "contains"),
    (re.compile(r"(?:starts?|begins?) with\b"), "starts_with"),
    (re.compile(r"(?:is|are|equals?|of|=)(?: |\b)"), "equals"),
)
UNARY = ("exists", "not_exists")
NUMERIC = ("gt", "gte", "lt", "lte")
TEXT = re.compile(r'"(?P<quoted>[^"]*)"')
AMOUNT = re.compile(rf"(?P<n>{NUMBER})(?![\w-])")


def find_trait_head(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    """What stands at the cursor, if it says something about who the person is."""
    readers: tuple[Callable[[Cursor, Vocabulary], Head | None], ...] = (
        read_age,
        read_platform,
        read_topic,
        read_segment,
        read_trait,
        read_place,
        read_value_first,
    )
    for read in readers:
        if found := read(cursor, vocabulary):
            return found
    return None


def ask_field(name: str, op: str, window: Node) -> Node:
    return {"type": "attribute", "field": name, "op": op, "value": window}


def read_age(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    """New, known for so long, active or away: the dates of the profile."""
    if found := cursor.take(NEW):
        window = {"amount": NEW_DAYS, "unit": "days"}
        note = f"“new” is taken for known for less than {NEW_DAYS} days"
        return ask_field("known_since", "within_last", window), note, found[1]
    for pattern, name, op in (
        (JOINED, "known_since", "within_last"),
        (KNOWN_FOR, "known_since", "more_than_ago"),
        (INACTIVE, "last_active_at", "more_than_ago"),
        (ACTIVE, "last_active_at", "within_last"),
    ):
        found = cursor.take(pattern)
        window_said = read_window(found[0]) if found else None
        if found and window_said:
            return ask_field(name, op, window_said), "", found[1]
    return None


def read_platform(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    if reached := read_reach(cursor, vocabulary):
        return reached
    if found := cursor.take(REACHABLE):
        return {"type": "device", "reachable": True}, "", found[1]
    if found := cursor.take(PLATFORM):
        what = PLATFORMS.get(found[0]["what"], found[0]["what"])
        return {"type": "device", "platform": what}, "", found[1]
    return None


def read_reach(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    """ "can be reached by SMS", "by push about Deals"; push alone is a device."""
    found = cursor.take(REACHED)
    if found is None:
        return None
    channel, after = found[0]["channel"].replace("-", ""), found[1]
    node: Node = {"type": "reachable", "channel": channel}
    about = after.take(ABOUT)
    topics = {key: key for key in vocabulary.topics.values()} | dict(vocabulary.topics)
    named = about and match_name(topics, cursor.text, about[1].at)
    if about and named:
        return {**node, "topic": topics[named[0]]}, "", about[1].move(named[1])
    return None if channel == "push" else (node, "", after)


def read_topic(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    found = cursor.take(TOPIC)
    topic = found and match_name(vocabulary.topics, cursor.text, found[1].at)
    if not found or not topic:
        return None
    is_in = found[0]["word"] in ("subscribed", "opted in")
    node = {
        "type": "consent",
        "state": "subscribed" if is_in else "unsubscribed",
        "topic": vocabulary.topics[topic[0]],
    }
    return node, "", found[1].move(topic[1])


def read_segment(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    found = cursor.take(SEGMENT)
    named = found and match_name(vocabulary.segments, cursor.text, found[1].at)
    if not found or not named:
        return None
    slug = vocabulary.segments[named[0]]
    return {"type": "segment", "segment": slug}, "", found[1].move(named[1])


def read_trait(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    """ "whose plan is pro", "with age over 30", "plan pro"."""
    while whose := cursor.take(WHOSE):
        cursor = whose[1]
    forms = {name.replace("_", " "): name for name in vocabulary.traits}
    forms |= {name: name for name in vocabulary.traits}
    named = match_name(forms, cursor.text, cursor.at)
    if named is None:
        return None
    trait = forms[named[0]]
    return compare_trait(trait, cursor.move(named[1]), vocabulary)


def compare_trait(trait: str, cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    op = "equals"
    for pattern, name in COMPARISONS:
        if found := cursor.take(pattern):
            op, cursor = name, found[1]
            break
    node: Node = {"type": "attribute", "trait": trait, "op": op}
    if op in UNARY:
        return node, "", cursor
    value = read_value(trait, op, cursor, vocabulary)
    if value is None:
        return None
    said, cursor = value
    return {**node, "value": said}, "", cursor


def read_value(
    trait: str, op: str, cursor: Cursor, vocabulary: Vocabulary
) -> tuple[Any, Cursor] | None:
    """A number, a text in quotes, or a value that arrived; no other is understood."""
    if found := cursor.take(AMOUNT):
        return read_number(found[0]["n"]), found[1]
    if op in NUMERIC:
        return None
    if found := cursor.take(TEXT):
        start, end = found[0].span("quoted")
        return find_spelling(trait, cursor.raw[start:end], vocabulary), found[1]
    named = match_name(vocabulary.traits[trait], cursor.text, cursor.at)
    return (named[0], cursor.move(named[1])) if named else None


def find_spelling(trait: str, said: str, vocabulary: Vocabulary) -> str:
    """As it arrived, since rules compare letter by letter."""
    known = {fold(value): value for value in vocabulary.traits[trait]}
    return known.get(fold(said), said)


def read_place(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    """ "from Berlin": of the traits of places, the one that has this value."""
    found = cursor.take(PLACE)
    if not found:
        return None
    hits = [
        (trait, named)
        for trait in PLACES
        if (named := match_name(
            vocabulary.traits.get(trait, ()), cursor.text, found[1].at
        ))
    ]  # fmt: skip
    if len(hits) != 1:
        return None
    trait, named = hits[0]
    node = {"type": "attribute", "trait": trait, "op": "equals", "value": named[0]}
    return node, "", found[1].move(named[1])


def read_value_first(cursor: Cursor, vocabulary: Vocabulary) -> Head | None:
    """ "on the pro plan"."""
    found = cursor.take(ON)
    if not found:
        return None
    for trait, values in vocabulary.traits.items():
        named = match_name(values, cursor.text, found[1].at)
        after = found[1].move(named[1]) if named else None
        name = (trait.replace("_", " "),)
        end = match_name(name, cursor.text, after.at) if after else None
        if named and after and end:
            node = {"type": "attribute", "trait": trait, "op": "equals",
                    "value": named[0]}  # fmt: skip
            return node, "", after.move(end[1])
    return None
