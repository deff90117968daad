"""A sentence in English to a rule, offline. Pure.

    "haven't opened the app in 7 days"
    {"type": "not_performed", "name": "app_open",
     "within": {"amount": 7, "unit": "days"}}

Only names that arrived are understood (`Vocabulary`). What is not understood is in
`Reading.unknown`, as it was said; what is understood but can not be asked yet is in
`unmet`. "And" binds tighter than "or". A negated clause looks at the window and the
product of the clause before it where it names none of its own. What a rule says of
itself ("People who …") reads back as that rule, whatever it names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from segments.rules.clauses import SHOP_EVENTS, Clause, ClauseReader
from segments.rules.formal import read_description
from segments.rules.messages import negate_count, negate_message
from segments.rules.phrases import (
    AND,
    OR,
    SCARCITY,
    THEN,
    Cursor,
    Node,
    ask_scarce,
    word_scarce,
)
from segments.rules.validate import RULE_VERSION
from segments.rules.words import NUMBER, UNITS, Vocabulary, fold

SENTENCE_MAX = 1_000
HIGH_INTENT = re.compile(r"high[- ]intent (?P<what>.+?) buyers?\b")
LIKELY = re.compile(
    rf"\d+ ?% (?:or more )?(?:likely|probable)[^,;]*?(?:in|within) (?:the )?(?:next )?"
    rf"(?:{NUMBER} )?(?:{'|'.join(UNITS)})s?\b"
)
EVERYONE = re.compile(
    r"(?:all|every)? ?(?:everyone|everybody|all (?:people|users|customers|contacts))\.?"
)


@dataclass(frozen=True)
class Reading:
    """What became of a sentence. `root` is a rule's root node, None where nothing
    was understood; `notes` say what vague words were taken for."""

    root: Node | None
    unknown: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Every word was understood, and all of it can be asked."""
        return self.root is not None and not self.unknown and not self.unmet

    @property
    def rule(self) -> dict[str, Any] | None:
        """The JSON of the rule, to be checked like any other."""
        if self.root is None:
            return None
        return {"version": RULE_VERSION, "root": self.root}


def parse_sentence(said: str, vocabulary: Vocabulary) -> Reading:
    """The rule that a sentence asks for, as far as it is understood."""
    if root := read_description(said):
        return Reading(root)
    raw = said.strip()[:SENTENCE_MAX]
    text, unmet = set_predictions_aside(fold(raw))
    if EVERYONE.fullmatch(text.strip()):
        return Reading({"type": "everyone"})
    scarce = SCARCITY.match(text)
    if scarce:
        text = " " * scarce.end() + text[scarce.end() :]
    found = read_clauses(ClauseReader(text, vocabulary), Cursor(text, raw).move(0))
    if scarce:
        found = ask_for_scarcity(found, raw[: scarce.end()].strip())
    nodes = [join_nodes("all", group) for group in build_groups(lend_windows(found))]
    words = [word for one in found for word in one.clause.unknown]
    return Reading(
        join_nodes("any", [node for node in nodes if node]),
        join_neighbours(raw, words),
        unmet,
        tuple(note for one in found for note in one.clause.notes),
    )


def set_predictions_aside(text: str) -> tuple[str, tuple[str, ...]]:
    """The sentence without what a prediction would have to answer, at its places."""
    unmet = [found[0] for found in LIKELY.finditer(text)]
    text = LIKELY.sub(lambda found: " " * len(found[0]), text)
    if found := HIGH_INTENT.search(text):
        unmet.append("high intent: likely to buy in the next 7 days")
        what = found["what"]
        return f"viewed {what} and added {what} to the cart", tuple(unmet)
    return text, tuple(unmet)


def ask_for_scarcity(found: list[Joined], said: str) -> list[Joined]:
    """ "scarcity only for users who viewed …": of what they viewed little is left."""
    for place, one in enumerate(found):
        clause = one.clause
        if clause.is_of_products and not clause.is_negated:
            clause = replace(
                clause,
                items=(*clause.items, ask_scarce()),
                notes=(*clause.notes, word_scarce("scarcity")),
            )
            return [*found[:place], replace(one, clause=clause), *found[place + 1 :]]
    return [Joined(Clause(unknown=(said,))), *found]


@dataclass(frozen=True)
class Joined:
    """A clause and the word that joins it to the one before: and, or, then."""

    clause: Clause
    word: str = "and"


def read_clauses(reader: ClauseReader, cursor: Cursor) -> list[Joined]:
    found: list[Joined] = []
    word = "and"
    while not cursor.is_over:
        clause, cursor = reader.read(cursor)
        found.append(Joined(clause, word))
        word = "and"
        for pattern, name in ((THEN, "then"), (OR, "or"), (AND, "and")):
            if taken := cursor.take(pattern):
                word, cursor = name, taken[1]
                break
    return found


def lend_windows(found: list[Joined]) -> list[Joined]:
    """ "viewed A or B in the last day": the window is said once, for both."""
    lent = list(found)
    for place in range(len(lent) - 1, 0, -1):
        clause, before = lent[place].clause, lent[place - 1].clause
        if clause.is_elliptic and clause.window and not before.window:
            lender = replace(before, window=clause.window)
            lent[place - 1] = replace(lent[place - 1], clause=lender)
    return lent


def build_groups(found: list[Joined]) -> list[list[Node]]:
    """Clauses to nodes: groups of "or", each a list of what "and" joins."""
    groups: list[list[Node]] = [[]]
    last = Clause()
    for one in found:
        if one.word == "or":
            groups.append([])
        if one.clause.says_nothing:
            continue
        clause = inherit(one.clause, last)
        merged = follow(groups[-1], last, clause, is_then=one.word == "then")
        groups[-1] = merged or [*groups[-1], build_node(clause)]
        last = clause
    return groups


def inherit(clause: Clause, last: Clause) -> Clause:
    """What a clause leaves to the one before it."""
    shop = bool(clause.events) and SHOP_EVENTS.issuperset(clause.events)
    if shop and clause.about is None and SHOP_EVENTS.issuperset(last.events):
        clause = replace(clause, about=last.about)
    if clause.is_negated and clause.window is None and last.window and clause.events:
        clause = replace(clause, window=last.window, is_window_lent=True)
    return clause


def follow(
    group: list[Node], last: Clause, clause: Clause, *, is_then: bool
) -> list[Node] | None:
    """The group with one step more of a sequence, where the words say one."""
    single = len(last.events) == len(clause.events) == 1 and group
    if not single or last.count or clause.count or last.is_negated:
        return None
    steps = [build_step(last), build_step(clause)]
    if clause.is_negated:
        if clause.window or clause.about or not (is_then or clause.is_elliptic):
            return None
        node: Node = {"type": "not_followed", "first": steps[0], "then": steps[1]}
        return [*group[:-1], node]
    if not is_then:
        return None
    if group[-1].get("type") == "sequence":
        steps = [*group[-1]["steps"], steps[1]]
    node = {"type": "sequence", "steps": steps}
    if clause.window:
        node["span"] = clause.window
    return [*group[:-1], node]


def build_step(clause: Clause) -> Node:
    return {"name": clause.events[0], **build_filters(clause)}


def build_filters(clause: Clause) -> Node:
    filters = list(clause.items)
    if clause.about is not None:
        name, value = clause.about
        filters.insert(0, {"property": name, "op": "equals", "value": value})
    return {"where": filters} if filters else {}


def build_node(clause: Clause) -> Node:
    if clause.node is not None:
        return negate(clause.node) if clause.is_negated else clause.node
    if clause.is_abandoned:
        return build_abandoned(clause)
    if len(clause.events) > 1:
        nodes = [build_event(clause, name, is_negated=False) for name in clause.events]
        return {"none" if clause.is_negated else "any": nodes}
    return build_event(clause, clause.events[0], is_negated=clause.is_negated)


def negate(node: Node) -> Node:
    """The opposite, by an operator of its own where there is one."""
    opposites = {"equals": "not_equals", "not_equals": "equals",
                 "exists": "not_exists", "not_exists": "exists"}  # fmt: skip
    if node.get("op") in opposites and "trait" in node:
        return {**node, "op": opposites[node["op"]]}
    if node["type"] == "segment":
        return {**node, "member": False}
    if node["type"] == "reachable":
        return {**node, "reachable": False}
    if node["type"] == "message":
        return negate_message(node)
    return {"none": [node]}


def build_abandoned(clause: Clause) -> Node:
    first, then = clause.events
    node: Node = {
        "type": "not_followed",
        "first": {"name": first, **build_filters(clause)},
        "then": {"name": then},
    }
    if clause.window:
        node["within"] = clause.window
    return {"none": [node]} if clause.is_negated else node


def build_event(clause: Clause, name: str, *, is_negated: bool) -> Node:
    """`not_performed` where a clause of its own says "not in 7 days": it asks that
    the person is known for as long."""
    limits = build_filters(clause)
    if clause.window:
        limits["within"] = clause.window
    if clause.total:
        node: Node = {"type": "event", "name": name, "sum": clause.total, **limits}
        return {"none": [node]} if is_negated else node
    if is_negated and not clause.count and clause.window and not clause.is_window_lent:
        return {"type": "not_performed", "name": name, **limits}
    count = clause.count or {"op": "at_least", "n": 1}
    if is_negated:
        count = negate_count(count)
    return {"type": "event", "name": name, "count": count, **limits}


def join_nodes(mode: str, nodes: list[Node]) -> Node | None:
    if len(nodes) < 2:
        return nodes[0] if nodes else None
    return {mode: nodes}


def join_neighbours(raw: str, words: list[str]) -> tuple[str, ...]:
    """Unknown words that stood side by side, as one."""
    found: list[str] = []
    for word in words:
        if found and f"{found[-1]} {word}" in raw:
            found[-1] = f"{found[-1]} {word}"
        else:
            found.append(word)
    return tuple(found)
