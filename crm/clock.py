"""The database's own time: the only clock that decides what is due or leased."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from django.db import connection


def read_clock() -> datetime:
    """Now, not the start of the transaction; one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


@cache
def list_database_zones() -> tuple[str, ...]:
    """Names of places that `AT TIME ZONE` takes; one slow query a process."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM pg_timezone_names WHERE name ~ '^[A-Z]' "
            "AND name !~ '^(Factory|localtime|posix)' ORDER BY name"
        )
        return tuple(name for (name,) in cursor.fetchall())
