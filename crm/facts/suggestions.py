"""What editors offer: names and values that really arrived. The one module of
`crm.facts` that asks the database; read by the segment editor."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from crm.models import EventName

# The newest contacts stand for all: a scan of a million would hold the page.
SAMPLE_CONTACTS = 2_000
SUGGESTIONS_MAX = 200

TRAIT_KEYS = """
SELECT key FROM (
  SELECT traits FROM crm_contact ORDER BY id DESC LIMIT %s) c,
  LATERAL jsonb_object_keys(c.traits) AS key
GROUP BY key ORDER BY count(*) DESC, key LIMIT %s
"""
TRAIT_VALUES = """
SELECT value FROM (
  SELECT traits ->> %s AS value FROM crm_contact ORDER BY id DESC LIMIT %s) c
WHERE value <> '' AND length(value) <= 100
GROUP BY value ORDER BY count(*) DESC, value LIMIT 20
"""


def suggest_events() -> list[str]:
    """Event names, the most recently seen first."""
    rows = EventName.objects.order_by("-last_seen_at", "name")
    return list(rows.values_list("name", flat=True)[:SUGGESTIONS_MAX])


def suggest_properties(event_names: Iterable[str]) -> list[str]:
    """Property names seen with these events."""
    names = [name for name in event_names if "\0" not in name]
    rows = EventName.objects.filter(name__in=names)
    found = {one for held in rows.values_list("properties", flat=True) for one in held}
    return sorted(found)[:SUGGESTIONS_MAX]


def suggest_traits() -> list[str]:
    """Trait names of recent contacts, the most common first."""
    with connection.cursor() as cursor:
        cursor.execute(TRAIT_KEYS, [SAMPLE_CONTACTS, SUGGESTIONS_MAX])
        return [key for (key,) in cursor.fetchall()]


def suggest_values(trait: str) -> list[str]:
    """Values of one trait among recent contacts, the most common first."""
    if "\0" in trait:
        return []
    with connection.cursor() as cursor:
        cursor.execute(TRAIT_VALUES, [trait, SAMPLE_CONTACTS])
        return [value for (value,) in cursor.fetchall()]
