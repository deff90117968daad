"""Questions that may take too long: stopped by the database, and said so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


class TooSlow(Exception):
    """The statement was stopped; nothing of it is kept."""


@contextmanager
def stop_after(milliseconds: int) -> Iterator[None]:
    """In a transaction of its own; TooSlow where a statement inside takes longer."""
    try:
        with transaction.atomic(), limit_statement(milliseconds):
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise TooSlow from error


@contextmanager
def limit_statement(milliseconds: int) -> Iterator[None]:
    """Statements inside stop after this long; the old limit comes back after.

    A failed statement rolls the setting back with its transaction or savepoint.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [f"{milliseconds}ms"]
        )
        yield
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
