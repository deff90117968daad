"""Prepared statements for the busy road.

Django binds parameters in the client: PostgreSQL then parses and plans the same
statement, with 60 kB of JSON in it, for each batch. Here the statement is prepared
once a connection and the parameters travel beside it.
"""

from __future__ import annotations

from typing import Any, Self

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


class PreparedCursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **_: Any) -> Self:
        return super().execute(query, params, prepare=True)


def open_cursor() -> CursorWrapper:
    """A cursor of the current connection that prepares what it executes.

    Tests that count queries see it; DEBUG does not log it, since a log of whole
    batches costs more than the batches.
    """
    connection.ensure_connection()
    cursor: Any = PreparedCursor(connection.connection)
    if connection.force_debug_cursor:
        return connection.make_debug_cursor(cursor)
    return connection.make_cursor(cursor)
