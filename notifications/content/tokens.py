"""The single-brace tokens of manual mode, translated to Liquid once, at save."""

from __future__ import annotations

import re

# Roots that a token may name; any other name is a trait of the contact.
TOKEN_ROOTS = frozenset(
    {"customer", "event", "campaign", "product", "item", "journey", "brand", "trigger"}
)

_LIQUID = re.compile(
    r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL
)

# No space after the brace: `{ "a": 1 }` and `{ x }` are somebody's braces, not ours.
_TOKEN = re.compile(
    r"(?<![{$])\{(?P<path>[A-Za-z_]\w*(?:\.\w+)*)"
    r"(?:\s*\|\s*(?P<fallback>[^{}|%]+?)\s*)?\}(?!\})"
)


def translate_tokens(source: str) -> str:
    """`Hi {first_name|there}` → Liquid; Liquid and other braces stay as they are."""
    if "{" not in source:
        return source
    parts: list[str] = []
    start = 0
    for match in _LIQUID.finditer(source):
        parts.append(_TOKEN.sub(_to_liquid, source[start : match.start()]))
        parts.append(match.group())
        start = match.end()
    parts.append(_TOKEN.sub(_to_liquid, source[start:]))
    return "".join(parts)


def _to_liquid(match: re.Match[str]) -> str:
    path = match["path"]
    root, _, rest = path.partition(".")
    if root not in TOKEN_ROOTS or not rest:
        path = f"customer.{path}"
    fallback = match["fallback"]
    if fallback is None:
        return f"{{{{ {path} }}}}"
    if '"' not in fallback:
        return f'{{{{ {path} | default: "{fallback}" }}}}'
    if "'" not in fallback:
        return f"{{{{ {path} | default: '{fallback}' }}}}"
    # Liquid strings know no escapes, so both kinds of quote need a plain text.
    return f"{{% if {path} %}}{{{{ {path} }}}}{{% else %}}{fallback}{{% endif %}}"
