"""The eight standard segments by DuckDB: the yardstick of `segments.py --duckdb`.

The same rows, copied into DuckDB's own tables in memory, and for each segment the
query that a person who knows DuckDB would write. The answers must agree.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TABLES = {
    "contacts": "SELECT id, traits ->> 'plan' AS plan, "
    "traits ->> 'country' AS country, known_since FROM crm_contact",
    "devices": "SELECT contact_id, platform, permission, state FROM crm_device",
    "events": "SELECT contact_id, name, occurred_at, value FROM crm_event",
}
AWAY = (
    "SELECT id FROM contacts WHERE known_since <= $at - INTERVAL 7 DAY AND id NOT IN "
    "(SELECT contact_id FROM events WHERE name = 'app_open' "
    "AND occurred_at > $at - INTERVAL 7 DAY AND occurred_at <= $at)"
)
IOS = (
    "SELECT DISTINCT contact_id FROM devices WHERE platform = 'ios' "
    "AND permission = 'granted' AND state = 'active'"
)


def happened(name: str, days: int) -> str:
    return (
        f"FROM events WHERE name = '{name}' AND occurred_at <= $at "
        f"AND occurred_at > $at - INTERVAL {days} DAY"
    )


QUERIES = {
    "S1": "SELECT id FROM contacts WHERE plan = 'pro'",
    "S2": "SELECT id FROM contacts WHERE country IN ('DE', 'FR', 'US')",
    "S3": f"SELECT contact_id {happened('cart', 30)} "
    "GROUP BY contact_id HAVING count(*) >= 3",
    "S4": AWAY,
    "S5": f"SELECT DISTINCT contact_id {happened('cart', 7)} AND contact_id NOT IN "
    f"(SELECT contact_id {happened('purchase', 7)})",
    "S6": IOS,
    "S7": f"SELECT id FROM contacts WHERE plan = 'pro' AND id IN ({IOS}) "
    f"AND id IN (SELECT contact_id {happened('cart', 30)}) AND id NOT IN ({AWAY})",
    "S8": f"SELECT contact_id {happened('purchase', 90)} "
    "GROUP BY contact_id HAVING sum(value) >= 200",
}


def measure_duckdb(connection: Any, *, at: datetime) -> dict[str, tuple[float, int]]:
    """Segment → seconds, best of three, and members. `connection` is psycopg's."""
    import duckdb

    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    with TemporaryDirectory() as folder:
        for name, query in TABLES.items():
            file = Path(folder) / f"{name}.csv"
            copy = f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER)"
            with connection.cursor().copy(copy) as rows, file.open("wb") as out:
                for block in rows:
                    out.write(block)
            duck.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{file}')")
            file.unlink()
    found = {}
    for name, query in QUERIES.items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            members = duck.execute(
                f"SELECT count(*) FROM ({query})", {"at": at} if "$at" in query else {}
            ).fetchall()[0][0]
            times.append(time.perf_counter() - start)
        found[name] = (min(times), members)
    return found
