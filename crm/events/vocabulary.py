"""The names ever seen and their properties, written only when they are news.

Each process remembers what it has written, so that a busy event name is no hot
row: once an hour it says that the name is still in use.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from django.db import connection, transaction

from crm.events.schema import Item

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

# name → (when written, property names written with it)
_written: dict[str, tuple[datetime, frozenset[str]]] = {}


def remember_names(items: Iterable[Item], *, at: datetime) -> None:
    """Write the names and properties that this process has not written yet."""
    news: dict[str, set[str]] = {}
    for item in items:
        known = _written.get(item.name)
        if (
            known is None
            or at - known[0] > REFRESH_AFTER
            or not known[1].issuperset(item.properties)
        ):
            news.setdefault(item.name, set()).update(item.properties)
    if not news:
        return
    rows = [
        {"name": name, "properties": sorted(keys)[:MAX_PROPERTIES]}
        for name, keys in news.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE_NAMES,
            {
                "at": at,
                "rows": msgspec.json.encode(rows).decode(),
                "most": MAX_PROPERTIES,
            },
        )
    # Only what is committed is known: a rolled back batch must write it again.
    transaction.on_commit(lambda: mark_written(news, at))


def mark_written(news: dict[str, set[str]], at: datetime) -> None:
    if len(_written) > MAX_REMEMBERED:
        _written.clear()
    for name, keys in news.items():
        _, before = _written.get(name, (at, frozenset()))
        _written[name] = (at, before | keys)


def forget_written() -> None:
    """For tests and after the table was cleared."""
    _written.clear()
