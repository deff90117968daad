"""What a sentence says of our messages: sent, opened, clicked, ignored. Pure.

    "opened the campaign Spring sale twice in the last 30 days"
    {"type": "message", "outcome": "opened", "campaign": "Spring sale",
     "count": {"op": "at_least", "n": 2}, "within": {"amount": 30, "unit": "days"}}

A verb alone says nothing here: what follows must be a message, a campaign by its name,
or "it" where the clause before named one.
"""

from __future__ import annotations

import re

from segments.rules.phrases import (
    FEWER,
    LEAST,
    MORE,
    MOST,
    TIMES,
    WINDOW,
    Cursor,
    Node,
    compare_times,
    read_times,
    read_window,
)
from segments.rules.words import NUMBER, UNITS, Vocabulary, match_name, read_number

OPENED = re.compile(r"open(?:ed)?\b")
OUTCOMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:(?:been|were|was|got) )?sent\b"), "sent"),
    (re.compile(r"(?:received?|got|get)\b"), "delivered"),
    (OPENED, "opened"),
    (re.compile(r"click(?:ed)?\b(?: (?:on|in)\b)?"), "clicked"),
    (re.compile(r"dismiss(?:ed)?\b"), "dismissed"),
    (re.compile(r"reach(?:ed)? the goal of\b|convert(?:ed)? (?:from|by|after)\b"),
     "converted"),
)  # fmt: skip
CHANNELS = {"push": "push", "e-mail": "email", "email": "email", "sms": "sms",
            "text": "sms", "whatsapp": "whatsapp", "in-app": "in_app"}  # fmt: skip
CHANNEL = rf"(?:{'|'.join(CHANNELS)})"
LEAD = re.compile(r"(?:a|an|any|the|our|their|one|of|each|all)\b")
QUANTITY = re.compile(
    rf"(?:(?P<how>exactly|only|{MORE}|{LEAST}|{MOST}|{FEWER}) )?(?P<n>{NUMBER})(?= )"
)
THING = re.compile(
    rf"(?:(?P<channel>{CHANNEL}) )?(?:messages?|notifications?)\b"
    r"|(?P<alone>push(?=es\b|\b)|e-?mail(?=s?\b)|sms\b|text(?=s?\b))(?:es|s)?"
)
IT = re.compile(r"(?:it|them|that|this one)\b")
BY = re.compile(rf"(?:by|via|over|through) (?P<channel>{CHANNEL})\b")
CAMPAIGN = re.compile(r"(?:(?:of|from|in|for) )?(?:the |our )?campaign ")
NUMBERED = re.compile(r"(?:no\. ?|number |#)(?P<n>\d{1,15})\b")
NAMED = re.compile(r" ?campaign\b")
# What "it" brings along of the message that was named before.
LENT = ("campaign", "channel", "within")
EVER = re.compile(r"ever\b")
LAST = re.compile(
    rf"(?:(?:any|each|all) of )?(?:the |their |our )?(?:last|latest|past) "
    rf"(?:(?P<n>{NUMBER}) )?"
)
IGNORED = re.compile(r"(?:ignored?|left|leave)\b")
IN_A_ROW = re.compile(r"in a row\b")
UNOPENED = re.compile(
    rf"unopened\b(?: for (?:(?P<n>{NUMBER}) )?(?P<unit>{'|'.join(UNITS)})s?\b"
    r"(?: or longer\b)?)?,?"
)


def read_message(
    cursor: Cursor, vocabulary: Vocabulary, before: Node | None
) -> tuple[Node, Cursor] | None:
    """A condition on messages, whole with how often and when; `before` is the node of
    the clause before."""
    for pattern, outcome in OUTCOMES:
        if verb := cursor.take(pattern):
            start: Node = {"type": "message", "outcome": outcome}
            return _read_object(start, verb[1], vocabulary, before)
    return None


def read_ignored(
    cursor: Cursor, vocabulary: Vocabulary, *, is_negated: bool
) -> tuple[Node, Cursor] | None:
    """ "ignored the last 3 messages", "left 3 messages in a row unopened".

    With `is_negated`, "opened the last 3 messages", which says the same denied.
    """
    verb = cursor.take(OPENED if is_negated else IGNORED)
    if verb is None:
        return None
    last = verb[1].take(LAST)
    many = last or verb[1].take(QUANTITY)
    thing = many and many[1].take(THING)
    if not many or not thing:
        return None
    n = read_number(many[0]["n"]) if many[0]["n"] else 1
    node: Node = {"type": "ignored", "last": int(n), **_name_channel(thing[0])}
    node, after, is_row = _read_row(node, thing[1], vocabulary)
    return (node, after) if last or is_row else None


def _read_row(
    node: Node, cursor: Cursor, vocabulary: Vocabulary
) -> tuple[Node, Cursor, bool]:
    is_row = False
    while True:
        if found := cursor.take(IN_A_ROW):
            is_row, cursor = True, found[1]
        elif found := cursor.take(UNOPENED):
            patience = read_window(found[0]) if found[0]["unit"] else None
            node = {**node, "after": patience} if patience else node
            cursor = found[1]
        elif told := _read_limit(node, cursor, vocabulary):
            node, cursor = told
        else:
            return node, cursor, is_row


def _read_object(
    node: Node, cursor: Cursor, vocabulary: Vocabulary, before: Node | None
) -> tuple[Node, Cursor] | None:
    if (found := cursor.take(IT)) and before and before.get("type") == "message":
        kept = {key: before[key] for key in LENT if key in before}
        # As often as once: a window that is lent is no window of its own.
        return _read_limits(
            {**node, **kept, "count": {"op": "at_least", "n": 1}}, found[1], vocabulary
        )
    if named := _read_campaign(cursor, vocabulary):
        return _read_limits({**node, "campaign": named[0]}, named[1], vocabulary)
    if (found := cursor.take(QUANTITY)) and (thing := found[1].take(THING)):
        node = {**node, **_count(int(read_number(found[0]["n"])), found[0]["how"])}
    else:
        while found := cursor.take(LEAD):
            cursor = found[1]
        thing = cursor.take(THING)
        if thing is None:
            return None
    return _read_limits({**node, **_name_channel(thing[0])}, thing[1], vocabulary)


def _count(many: int, how: str | None) -> Node:
    """ "A message" is one at least, as no count is; "zero messages" are none."""
    if many == 1 and not how:
        return {}
    return {"count": compare_times(how or ("exactly" if many == 0 else ""), many)}


def _read_campaign(
    cursor: Cursor, vocabulary: Vocabulary
) -> tuple[str | int, Cursor] | None:
    """ "the campaign Spring sale", "the Spring sale campaign"."""
    if found := cursor.take(CAMPAIGN):
        if number := found[1].take(NUMBERED):
            return int(number[0]["n"]), number[1]
        named = match_name(vocabulary.campaigns, cursor.text, found[1].at)
        return (
            (vocabulary.campaigns[named[0]], found[1].move(named[1])) if named else None
        )
    while lead := cursor.take(LEAD):
        cursor = lead[1]
    named = match_name(vocabulary.campaigns, cursor.text, cursor.at)
    after = cursor.move(named[1]).take(NAMED) if named else None
    return (vocabulary.campaigns[named[0]], after[1]) if named and after else None


def _read_limits(
    node: Node, cursor: Cursor, vocabulary: Vocabulary
) -> tuple[Node, Cursor]:
    while True:
        if (found := cursor.take(TIMES)) and node["type"] == "message":
            node, cursor = {**node, "count": read_times(found[0])}, found[1]
        elif told := _read_limit(node, cursor, vocabulary):
            node, cursor = told
        else:
            return node, cursor


def _read_limit(
    node: Node, cursor: Cursor, vocabulary: Vocabulary
) -> tuple[Node, Cursor] | None:
    """The channel, the campaign or the window."""
    if found := cursor.take(BY):
        return {**node, "channel": CHANNELS[found[0]["channel"]]}, found[1]
    if (found := cursor.take(CAMPAIGN)) and (
        named := _read_campaign(cursor, vocabulary)
    ):
        return {**node, "campaign": named[0]}, named[1]
    if found := cursor.take(WINDOW):
        window = read_window(found[0])
        return ({**node, "within": window}, found[1]) if window else None
    if found := cursor.take(EVER):
        return node, found[1]
    return None


def _name_channel(thing: re.Match[str]) -> Node:
    said = thing["channel"] or thing["alone"]
    return {"channel": CHANNELS[said]} if said else {}


def negate_message(node: Node) -> Node:
    """`not_message` where it has a window of its own and no count."""
    if "within" in node and "count" not in node:
        return {**node, "type": "not_message"}
    count = node.get("count", {"op": "at_least", "n": 1})
    return {**node, "count": negate_count(count)}


def negate_count(count: Node) -> Node:
    if count["op"] == "at_most":
        return {"op": "at_least", "n": count["n"] + 1}
    if count["n"] == 1 or count["op"] == "exactly":
        return {"op": "exactly", "n": 0}
    return {"op": "at_most", "n": count["n"] - 1}
