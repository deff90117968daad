"""The broker on the main database: its schema, its address and its options."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

SCHEME = "pgmq://"
# Serialises two starts that lay the schema at the same time.
LOCK_KEY = 0x70676D71
# Of a Redis. By default its client waits for ever on a connection that a network or a
# fail-over swallowed: no bell would ring again until the process is started anew.
REDIS_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    # A worker that waits for work asks so often whether anybody is still there.
    "health_check_interval": 5,
}


def choose_broker_options(url: str, databases: dict[str, Any]) -> dict[str, Any]:
    """Kombu's transport options of the broker at `url`, as Django's settings say."""
    if url == SCHEME:
        return build_broker_options(databases["default"])
    return REDIS_OPTIONS if url.startswith(("redis://", "rediss://")) else {}


def build_broker_options(database: dict[str, Any]) -> dict[str, Any]:
    """Kombu's transport options of a queue that lives in Django's `database`."""
    return {
        "conn_string": make_conninfo(
            host=database["HOST"] or None,
            port=database["PORT"] or None,
            user=database["USER"] or None,
            password=database["PASSWORD"] or None,
            dbname=database["NAME"],
        ),
        "init_extension": False,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,
        "polling_interval": 1,
        # The wait is ours, by LISTEN; the server's own loop would poll 10 times a s.
        "wait_time_seconds": 0,
        "pool_size": 1,
        # Early acknowledgement: a message is held for the instant of its hand-over.
        "visibility_timeout": 60,
    }


def lay_queue_schema(connection: psycopg.Connection) -> bool:
    """Lays schema `pgmq` from the wheel's SQL; False where it is there already.

    A queue holds only doorbells (all work is rows), so another version's schema is
    replaced, not migrated. An installed extension is left alone.
    """
    version = files("pgmq").joinpath("sql", "VERSION").read_text().split()[-1]
    mark = f"pgmq {version}, laid by Apropos"
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        found = connection.execute(
            "SELECT obj_description(oid, 'pg_namespace'),"
            " EXISTS (SELECT FROM pg_extension WHERE extname = 'pgmq')"
            " FROM pg_namespace WHERE nspname = 'pgmq'"
        ).fetchone()
        if found is not None and (found[1] or found[0] == mark):
            return False
        connection.execute("DROP SCHEMA IF EXISTS pgmq CASCADE")
        script = files("pgmq").joinpath("sql", "pgmq.sql").read_text()
        connection.execute(script.encode())
        # COMMENT takes no parameters; the mark is the wheel's own version.
        connection.execute(f"COMMENT ON SCHEMA pgmq IS '{mark}'".encode())
    return True
