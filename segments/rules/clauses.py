"""One clause of a sentence: who did what, how often, when, about which product. Pure.

A head says what is asked (an event, a trait, a device …); what follows it, in any
order, says how often, in which window and about what. A word that neither says is
kept as unknown: it is shown back, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from segments.rules import phrases
from segments.rules.heads import find_trait_head
from segments.rules.messages import read_ignored, read_message
from segments.rules.phrases import (
    Cursor,
    Node,
    read_item,
    read_money,
    read_times,
    read_window,
)
from segments.rules.words import Vocabulary, match_name, walk_words

ORDER = "Order Completed"
SHOP_EVENTS = frozenset(name for _, name in phrases.VERBS)
VERBS = [(re.compile(form), name) for form, name in phrases.VERBS]
# The property of events that names every product, and category, they are about.
PRODUCT, CATEGORY = "$product", "$category"


@dataclass(frozen=True)
class Clause:
    """What was understood of one clause; `node` where its head says all of it."""

    node: Node | None = None
    events: tuple[str, ...] = ()
    is_negated: bool = False
    is_abandoned: bool = False
    count: Node | None = None
    total: Node | None = None
    window: Node | None = None
    about: tuple[str, str] | None = None
    # Filters of what is true now of the product.
    items: tuple[Node, ...] = ()
    # The word of the deed, for "completed step 1 but not step 2".
    verb: str = ""
    is_elliptic: bool = False
    # The window is that of the clause before.
    is_window_lent: bool = False
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_of_products(self) -> bool:
        return bool(self.events) and SHOP_EVENTS.issuperset(self.events)

    @property
    def says_nothing(self) -> bool:
        return self.node is None and not self.events


@dataclass
class ClauseReader:
    """Reads clauses of one sentence, one after the other."""

    text: str
    vocabulary: Vocabulary
    before: Clause = field(default_factory=Clause)

    def read(self, cursor: Cursor) -> tuple[Clause, Cursor]:
        """The clause at the cursor, and where the next connector or the end is."""
        clause, cursor = self._read_negation(Clause(), cursor)
        # A head that says all is followed by the next clause: "new users who …".
        while clause.node is None and not self._is_done(cursor):
            step = self._read_part(clause, cursor)
            clause, cursor = step or self._skip_word(clause, cursor)
        if not clause.says_nothing:
            self.before = clause
        return clause, cursor

    def _is_done(self, cursor: Cursor) -> bool:
        return cursor.is_over or bool(
            cursor.take(phrases.AND) or cursor.take(phrases.OR)
            or cursor.take(phrases.THEN)
        )  # fmt: skip

    def _read_negation(self, clause: Clause, cursor: Cursor) -> tuple[Clause, Cursor]:
        while not cursor.is_over:
            if found := cursor.take(phrases.NOT):
                clause = replace(clause, is_negated=not clause.is_negated)
                cursor = found[1]
            elif self._read_head(clause, cursor) is not None:
                break
            elif found := cursor.take(phrases.FILLER):
                cursor = found[1]
            else:
                break
        return clause, cursor

    def _read_part(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        if clause.says_nothing and (head := self._read_head(clause, cursor)):
            return head
        for read in (
            self._read_count,
            self._read_window,
            self._read_item,
            self._read_object,
        ):
            if part := read(clause, cursor):
                return part
        if found := cursor.take(phrases.FILLER):
            return clause, found[1]
        return None

    def _skip_word(self, clause: Clause, cursor: Cursor) -> tuple[Clause, Cursor]:
        word = next(walk_words(self.text, cursor.at), None)
        end = word[1] if word else cursor.at + 1
        said = cursor.raw[cursor.at : end]
        unknown = clause.unknown if said in ".!?()" else (*clause.unknown, said)
        return replace(clause, unknown=unknown), cursor.move(end)

    # --- Heads ---

    def _read_head(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        for read in (
            self._read_message,
            self._read_trait,
            self._read_money,
            self._read_deed,
            self._read_ellipsis,
        ):
            if found := read(clause, cursor):
                return found
        return None

    def _read_deed(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        """A shop's verb or an event's own name: whichever explains more words."""
        found = (self._read_shop(clause, cursor), self._read_event(clause, cursor))
        read = [self._read_object(*one) or one for one in found if one]
        return max(read, key=lambda one: one[1].at, default=None)

    def _read_trait(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        found = find_trait_head(cursor, self.vocabulary)
        if found is None:
            return None
        node, note, cursor = found
        notes = (*clause.notes, note) if note else clause.notes
        return replace(clause, node=node, notes=notes), cursor

    def _read_message(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        for is_denied in sorted({False, clause.is_negated}):
            if row := read_ignored(cursor, self.vocabulary, is_negated=is_denied):
                is_negated = clause.is_negated and not is_denied
                return replace(clause, node=row[0], is_negated=is_negated), row[1]
        found = read_message(cursor, self.vocabulary, self.before.node)
        return (replace(clause, node=found[0]), found[1]) if found else None

    def _read_money(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        spent = cursor.take(phrases.SPENT)
        money = spent and spent[1].take(phrases.MONEY)
        if not money:
            return None
        total = {"property": "value", **read_money(money[0])}
        return replace(clause, events=(ORDER,), total=total), money[1]

    def _read_shop(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        if found := cursor.take(phrases.ABANDON):
            return replace(
                clause, events=("Product Added", ORDER), is_abandoned=True
            ), found[1]
        if found := cursor.take(phrases.ENGAGE):
            return replace(clause, events=phrases.ENGAGED), found[1]
        for form, name in VERBS:
            if (found := cursor.take(form)) and name in self.vocabulary.events:
                inside = self._find_object(found[0][0])
                return replace(
                    clause, events=(name,), verb=found[0][0].split()[0], about=inside
                ), found[1]
        return None

    def _find_object(self, said: str) -> tuple[str, str] | None:
        """The product inside "added the tent to the cart"."""
        for place in range(len(said)):
            if place and said[place - 1] != " ":
                continue
            if found := match_name(self.vocabulary.products, said, place):
                return PRODUCT, self.vocabulary.products[found[0]]
        return None

    def _read_event(
        self, clause: Clause, cursor: Cursor, verb: str = ""
    ) -> tuple[Clause, Cursor] | None:
        did = cursor.take(phrases.DID)
        start = did[1] if did else cursor
        quoted = match_name(self.vocabulary.events, self.text, start.at)
        found = self.vocabulary.match_event(self.text, start.at, lead=verb)
        if quoted and (found is None or quoted[1] >= found[1]):
            found = (quoted[0],), quoted[1]
        if found is None:
            return None
        names, end = found
        if len(names) > 1:
            return self._refuse_choice(clause, cursor.move(end), cursor.at, names)
        word = self.text[start.at : end].split()[0]
        read = replace(clause, events=names, verb=verb or word, is_elliptic=bool(verb))
        return read, start.move(end)

    def _refuse_choice(
        self, clause: Clause, after: Cursor, start: int, names: tuple[str, ...]
    ) -> tuple[Clause, Cursor]:
        said = after.raw[start : after.at].strip()
        note = f"“{said}” may be {' or '.join(f'“{name}”' for name in names)}"
        return replace(
            clause, unknown=(*clause.unknown, said), notes=(*clause.notes, note)
        ), after

    def _read_ellipsis(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        """ "but not step 2", "or the tent": the deed is that of the clause before."""
        if not self.before.verb:
            return None
        named = self._match_object(cursor)
        if named is None or not SHOP_EVENTS.issuperset(self.before.events):
            return self._read_event(clause, cursor, verb=self.before.verb)
        events, verb = self.before.events, self.before.verb
        about, after = named
        read = replace(clause, events=events, about=about, verb=verb, is_elliptic=True)
        return read, after

    # --- What follows a head ---

    def _read_count(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        if not clause.events or clause.count:
            return None
        if found := cursor.take(phrases.MANY):
            note = f"“{found[0][0].strip()}” is taken for twice or more"
            count: Node = {"op": "at_least", "n": 2}
            return replace(clause, count=count, notes=(*clause.notes, note)), found[1]
        if found := cursor.take(phrases.TIMES):
            return replace(clause, count=read_times(found[0])), found[1]
        return None

    def _read_window(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        found = cursor.take(phrases.WINDOW)
        if not found or not clause.events or clause.window:
            return None
        window = read_window(found[0])
        return (replace(clause, window=window), found[1]) if window else None

    def _read_item(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        found = read_item(cursor) if clause.is_of_products else None
        if found is None:
            return None
        node, note, cursor = found
        notes = (*clause.notes, note) if note else clause.notes
        return replace(clause, items=(*clause.items, node), notes=notes), cursor

    def _read_object(
        self, clause: Clause, cursor: Cursor
    ) -> tuple[Clause, Cursor] | None:
        if clause.about or not clause.events:
            return None
        found = self._match_object(cursor)
        return (replace(clause, about=found[0]), found[1]) if found else None

    def _match_object(self, cursor: Cursor) -> tuple[tuple[str, str], Cursor] | None:
        """A product by its name, or a category; "the product X" is X."""
        start = cursor
        while True:
            if found := match_name(self.vocabulary.products, self.text, start.at):
                code = self.vocabulary.products[found[0]]
                return (PRODUCT, code), start.move(found[1])
            if found := match_name(self.vocabulary.categories, self.text, start.at):
                return (CATEGORY, found[0]), start.move(found[1])
            lead = start.take(phrases.OBJECT_LEAD)
            if lead is None:
                return None
            start = lead[1]
