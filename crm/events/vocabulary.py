"""The names ever seen, their properties and the kinds of these, written only when
they are news.

Each process remembers what it has written, so that a busy event name is no hot
row: once an hour it says again what is still in use.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction

from crm.events.schema import Item
from crm.events.value_kinds import KINDS

# Suggestions in editors need no more; names made of ids must not grow for ever.
MAX_PROPERTIES = 200
MAX_REMEMBERED = 10_000
REFRESH_AFTER = timedelta(hours=1)
WRITE_NAMES = """
INSERT INTO crm_eventname AS n (name, first_seen_at, last_seen_at, properties)
SELECT name, %(at)s, %(at)s, properties
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(name text, properties jsonb)
ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    last_seen_at = greatest(n.last_seen_at, excluded.last_seen_at),
    properties = (
        SELECT coalesce(jsonb_agg(key ORDER BY key), '[]') FROM (
            SELECT DISTINCT key FROM jsonb_array_elements_text(
                n.properties || excluded.properties) AS key
            ORDER BY key LIMIT %(most)s) AS known)
"""
# A longer name of a property is no name.
MAX_PROPERTY = 200
# Kinds that one statement writes: a batch of made-up names waits for its next repeat.
MAX_KINDS = 5_000
WRITE_KINDS = """
INSERT INTO crm_propertykind AS k (name, property, kind, first_seen_at, last_seen_at)
SELECT name, property, kind, %(at)s, %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(name text, property text, kind text)
ORDER BY name, property, kind
ON CONFLICT (name, property, kind) DO UPDATE SET
    last_seen_at = greatest(k.last_seen_at, excluded.last_seen_at)
"""
# A property's name and the type of its value.
Seen = tuple[str, type[Any]]

# name → (when written, properties with their types written since)
_written: dict[str, tuple[datetime, frozenset[Seen]]] = {}


def remember_names(items: Iterable[Item], *, at: datetime) -> None:
    """Write the names, properties and kinds that this process has not written yet."""
    news = find_news(items, at)
    if not news:
        return
    names = [
        {"name": name, "properties": sorted({key for key, _ in seen})[:MAX_PROPERTIES]}
        for name, seen in news.items()
    ]
    kinds = list_kinds(news)
    with connection.cursor() as cursor:
        document = msgspec.json.encode(names).decode()
        cursor.execute(
            WRITE_NAMES, {"at": at, "rows": document, "most": MAX_PROPERTIES}
        )
        if kinds:
            document = msgspec.json.encode(kinds).decode()
            cursor.execute(WRITE_KINDS, {"at": at, "rows": document})
    # Only what is committed is known: a rolled back batch must write it again.
    transaction.on_commit(lambda: mark_written(news, at))


def find_news(items: Iterable[Item], at: datetime) -> dict[str, set[Seen]]:
    news: dict[str, set[Seen]] = {}
    for item in items:
        known = _written.get(item.name)
        # In C: this is asked of each event.
        seen = zip(item.properties, map(type, item.properties.values()), strict=True)
        if (
            known is None
            or at - known[0] > REFRESH_AFTER
            or not known[1].issuperset(seen)
        ):
            types = map(type, item.properties.values())
            news.setdefault(item.name, set()).update(
                zip(item.properties, types, strict=True)
            )
    return news


def list_kinds(news: dict[str, set[Seen]]) -> list[dict[str, str]]:
    """Each kind once: whole numbers and others are one kind."""
    found = {
        (name, key, KINDS[seen])
        for name, all_seen in news.items()
        for key, seen in all_seen
        if seen in KINDS and len(key) <= MAX_PROPERTY
    }
    return [
        {"name": name, "property": key, "kind": kind}
        for name, key, kind in sorted(found)[:MAX_KINDS]
    ]


def mark_written(news: dict[str, set[Seen]], at: datetime) -> None:
    if len(_written) > MAX_REMEMBERED:
        _written.clear()
    for name, seen in news.items():
        written_at, before = _written.get(name, (at, frozenset()))
        # Past the hour all of it is news again: what is not, is out of use.
        if at - written_at > REFRESH_AFTER:
            written_at, before = at, frozenset()
        _written[name] = (written_at, before | seen)


def forget_written() -> None:
    """For tests and after the table was cleared."""
    _written.clear()
