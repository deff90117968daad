"""Versions of apps, compared as Semantic Versioning 2.0 says.

Lenient in the form: a `v` before it and up to four numbers, what is missing is 0.
A pre-release (`2.0.0-beta.2`) comes before its release, build metadata says nothing.
What is no version compares with nothing.
"""

from __future__ import annotations

import re

VERSION = (
    r"^v?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?"
    r"(?:-([0-9A-Za-z-]{1,40}(?:\.[0-9A-Za-z-]{1,40}){0,9}))?(?:\+[0-9A-Za-z.-]{1,100})?$"
)
# Comes after every pre-release.
RELEASE = "~"
# The key of a version text as `key_version` builds it, or NULL. Compared as a list,
# letter by letter: numbers have their length before them, and come before words.
VERSION_KEY = """(SELECT CASE WHEN v.v IS NOT NULL THEN ARRAY[
    lpad(v.v[1], 9, '0'), lpad(coalesce(v.v[2], ''), 9, '0'),
    lpad(coalesce(v.v[3], ''), 9, '0'), lpad(coalesce(v.v[4], ''), 9, '0')]
  || coalesce((SELECT array_agg(
      CASE WHEN i.i ~ '^[0-9]+$' THEN '0' || lpad(i.i, 40, '0') ELSE '1' || i.i END
      ORDER BY i.n)
    FROM unnest(string_to_array(v.v[5], '.')) WITH ORDINALITY AS i (i, n)),
    ARRAY['~']) END
FROM (SELECT regexp_match({text}, %s) AS v) AS v)"""


def key_version(text: str) -> list[str] | None:
    """What versions are ordered by; None for what is no version."""
    found = re.match(VERSION, text)
    if found is None or text.endswith("\n"):
        return None
    *numbers, before = found.groups()
    core = [(number or "").rjust(9, "0") for number in numbers]
    return core + [_key_part(part) for part in (before or "").split(".")]


def _key_part(part: str) -> str:
    if not part:
        return RELEASE
    return f"0{part.rjust(40, '0')}" if part.isdecimal() else f"1{part}"
