"""Text as a phone shows it: counted in graphemes, free of invisible tricks."""

from __future__ import annotations

import regex

ELLIPSIS = "…"

# A real letter carries a handful of marks; a stack of thousands breaks the screen.
MAX_MARKS = 8

# Controls but newline and tab, direction embeddings, overrides and isolates, lone
# surrogates, byte order marks and non-characters. Joiners and the left-to-right and
# right-to-left marks stay: emoji, Persian and Hebrew need them.
_FORBIDDEN = regex.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_LINE_BREAKS = regex.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_MARK_STACKS = regex.compile(rf"(\p{{M}}{{{MAX_MARKS}}})\p{{M}}+")
_SPACES = regex.compile(r"\s+")
_GRAPHEME = regex.compile(r"\X")


def clean_text(text: str) -> str:
    """Drop what could hide, reorder or corrupt the text; line breaks become \\n."""
    if text.isascii() and text.isprintable():
        return text.strip()
    text = _LINE_BREAKS.sub("\n", text)
    text = _FORBIDDEN.sub("", text)
    return str(_MARK_STACKS.sub(r"\1", text)).strip()


def clean_line(text: str) -> str:
    """As `clean_text`, on one line."""
    text = clean_text(text)
    return text if text.isprintable() else str(_SPACES.sub(" ", text))


def count_graphemes(text: str) -> int:
    """Characters as a reader counts them: 👩‍👩‍👧 is one."""
    if text.isascii():
        return len(text)
    return sum(1 for _ in _GRAPHEME.finditer(text))


def truncate_graphemes(text: str, limit: int) -> str:
    """At most `limit` graphemes; what is cut is shown by an ellipsis."""
    # No grapheme is shorter than a code point, so most texts need no counting.
    if len(text) <= limit or count_graphemes(text) <= limit:
        return text
    if limit < 1:
        return ""
    return cut_graphemes(text, limit - 1).rstrip() + ELLIPSIS


def cut_graphemes(text: str, count: int) -> str:
    """The first `count` graphemes, without an ellipsis."""
    if count < 1:
        return ""
    for number, match in enumerate(_GRAPHEME.finditer(text), start=1):
        if number == count:
            return text[: match.end()]
    return text


def fit_bytes(text: str, limit_bytes: int) -> str:
    """The longest start of the text, with its ellipsis, in `limit_bytes` of UTF-8."""
    if len(text.encode()) <= limit_bytes:
        return text
    room = limit_bytes - len(ELLIPSIS.encode())
    end = 0
    for match in _GRAPHEME.finditer(text):
        room -= len(match.group().encode())
        if room < 0:
            break
        end = match.end()
    kept = text[:end].rstrip()
    return kept + ELLIPSIS if kept else ""
