"""The tests' database, migrated once: later ones are copies of it.

Migrating an empty database takes longer than most tests. What comes of it depends on
the migrations and the packages alone, so it is kept on the server as a template whose
name carries their hash; each run, and each worker of a run, copies it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

ROOT = Path(__file__).parents[1]
PREFIX = "apropos_template_"
# Of checkouts beside each other; more than these are left over.
KEPT = 10
# Any number that nobody else locks: makers of the template wait for each other.
LOCK = 7_266_301


def use_template() -> None:
    """Have Django copy its test database from the template, made here if need be."""
    connection = connections["default"]
    connection.settings_dict["TEST"]["TEMPLATE"] = find_template(connection)


def find_template(connection: BaseDatabaseWrapper) -> str:
    """The template's name. It gets its name when it is whole, never before."""
    name = PREFIX + hash_schema()
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        cursor.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX]
        )
        known = {row[0] for row in cursor.fetchall()}
        if name in known:
            return name
        for left_over in known if len(known) >= KEPT else ():
            drop_database(cursor, left_over)
        raw = f"{PREFIX}making"
        drop_database(cursor, raw)
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(raw)))
        migrate_database(connection, raw)
        cursor.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                sql.Identifier(raw), sql.Identifier(name)
            )
        )
    return name


def hash_schema() -> str:
    """Of all that decides what a migrated database holds."""
    files = [ROOT / "requirements-test.lock", *ROOT.glob("*/migrations/*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def drop_database(cursor: psycopg.Cursor, name: str) -> None:
    cursor.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def migrate_database(connection: BaseDatabaseWrapper, name: str) -> None:
    """As Django does with a test database: the same connection, pointed elsewhere."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
