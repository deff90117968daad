"""Patterns: a small part of regular expressions, the same everywhere.

    letters and digits    themselves; \\ before a sign takes its meaning away
    .  \\d  \\w  \\s         any character; a digit; a letter, digit or _; a space
    [a-z0-9_]  [^,]       one of these, none of these
    ( … | … )             a choice, or parts that belong together
    ?  *  +  {2}  {2,5}   how often, up to REPEAT_MAX times where it is a number
    ^  $                  the beginning and the end of the text

Letters, digits and spaces of \\d, \\w and \\s are those of ASCII. There are no back
references and no look-around, and a pattern that unfolds to more than STATES_MAX
steps is refused: matching takes time in proportion to the text, whatever it is.
"""

from __future__ import annotations

from crm.ports.facts import RuleError

PATTERN_MAX = 200
REPEAT_MAX = 50
STATES_MAX = 1_000
DEPTH_MAX = 10
# Texts longer than this match no pattern.
SUBJECT_MAX = 1_000

CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r\\f\\v"}
SPECIAL = frozenset("\\.^$|()[]{}*+?")
QUANTIFIERS = "*+?{"


def translate_pattern(pattern: str, path: str) -> str:
    """The pattern as PostgreSQL reads it, or RuleError."""
    if not pattern or len(pattern) > PATTERN_MAX:
        raise RuleError(
            path, "pattern", f"must have 1 to {PATTERN_MAX} characters as a pattern"
        )
    return _PatternReader(pattern, path).read()


class _PatternReader:
    """Reads a pattern from left to right and counts what it unfolds to."""

    def __init__(self, pattern: str, path: str) -> None:
        self._rest = pattern
        self._pos = 0
        self._path = path

    def read(self) -> str:
        text, states = self._read_choice(depth=1)
        if self._peek():
            self._refuse(f"has a “{self._peek()}” without its beginning")
        if states > STATES_MAX:
            self._refuse("repeats too much")
        return text

    def _refuse(self, fault: str) -> None:
        where = f" at character {self._pos + 1}"
        raise RuleError(self._path, "pattern", f"is no pattern: it {fault}{where}")

    def _peek(self) -> str:
        return self._rest[self._pos : self._pos + 1]

    def _take(self) -> str:
        letter = self._peek()
        if not letter:
            self._refuse("ends too early")
        self._pos += 1
        return letter

    def _read_choice(self, *, depth: int) -> tuple[str, int]:
        if depth > DEPTH_MAX:
            self._refuse("is nested too deep")
        text, states = self._read_sequence(depth=depth)
        while self._peek() == "|":
            self._take()
            more, count = self._read_sequence(depth=depth)
            text, states = f"{text}|{more}", states + count
        return text, states

    def _read_sequence(self, *, depth: int) -> tuple[str, int]:
        text, states = "", 0
        while self._peek() not in ("", "|", ")"):
            part, count = self._read_atom(depth=depth)
            if self._peek() and self._peek() in QUANTIFIERS:
                if part in ("^", "$"):
                    self._refuse("repeats an end of the text")
                sign, times = self._read_quantifier()
                part, count = part + sign, count * times
            text, states = text + part, states + count
        if not text:
            self._refuse("has an empty part")
        return text, states

    def _read_atom(self, *, depth: int) -> tuple[str, int]:
        letter = self._take()
        if letter == "(":
            if self._peek() == "?":
                self._refuse("has a (?")
            text, states = self._read_choice(depth=depth + 1)
            if self._peek() != ")":
                self._refuse("has a “(” without its end")
            self._take()
            return f"({text})", states
        if letter == "[":
            return self._read_class(), 1
        if letter == "\\":
            return self._read_escape(), 1
        if letter in ".^$":
            return letter, 1
        if letter in SPECIAL:
            self._refuse(f"has a “{letter}” out of place")
        return letter, 1

    def _read_escape(self) -> str:
        letter = self._take()
        if letter in CLASSES:
            return f"[{CLASSES[letter]}]"
        if letter.isalnum():
            self._refuse(f"has an unknown \\{letter}")
        return f"\\{letter}"

    def _read_class(self) -> str:
        text = "["
        if self._peek() == "^":
            text += self._take()
        first = True
        while self._peek() != "]" or first:
            start = self._read_member()
            text, first = text + start, False
            if self._peek() == "-" and self._rest[self._pos + 1 : self._pos + 2] != "]":
                self._take()
                end = self._read_member()
                if len(start.lstrip("\\")) > 1 or len(end.lstrip("\\")) > 1:
                    self._refuse("has a range of classes")
                if start[-1] > end[-1]:
                    self._refuse("has a range that runs backwards")
                text += f"-{end}"
        self._take()
        return f"{text}]"

    def _read_member(self) -> str:
        letter = self._take()
        if letter == "\\":
            letter = self._take()
            if letter in CLASSES:
                return CLASSES[letter]
            if letter.isalnum():
                self._refuse(f"has an unknown \\{letter}")
        elif letter in "[]":
            self._refuse(f"has a “{letter}” out of place")
        # Escaped, so that no letter has a meaning between the brackets.
        return f"\\{letter}" if letter in "\\^-[]" else letter

    def _read_quantifier(self) -> tuple[str, int]:
        sign = self._take()
        times = 1 if sign == "?" else 2
        if sign == "{":
            sign, times = self._read_bound()
        if self._peek() and self._peek() in QUANTIFIERS:
            self._refuse("repeats a repetition")
        return sign, times

    def _read_bound(self) -> tuple[str, int]:
        end = self._rest.find("}", self._pos)
        low, comma, high = self._rest[self._pos : max(end, self._pos)].partition(",")
        numbers = [low, *([high] if high else [])]
        if not all(one.isascii() and one.isdecimal() for one in numbers):
            self._refuse("has a “{” without a number")
        if not int(low) <= int(high or low) <= REPEAT_MAX or int(high or low) == 0:
            self._refuse(f"repeats something not 1 to {REPEAT_MAX} times")
        self._pos = end + 1
        return f"{{{low}{comma}{high}}}", int(high or low) + (comma != "" and not high)
