"""Statements of the busy road are parsed and planned once a connection."""

from __future__ import annotations

import pytest
from django.db import connection

from crm.events.statements import open_cursor

pytestmark = pytest.mark.django_db

SUM = "SELECT %s::int + 7351"
PREPARED = "SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s"


def list_prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(PREPARED, ["%7351%"])
        return [statement for (statement,) in cursor.fetchall()]


def test_a_statement_is_prepared_once_for_all_its_values() -> None:
    for value in (1, 2):
        with open_cursor() as cursor:
            cursor.execute(SUM, [value])
            assert cursor.fetchall() == [(value + 7351,)]
    assert list_prepared() == ["SELECT $1::int + 7351"]


def test_what_other_cursors_execute_is_not_prepared() -> None:
    for value in range(10):
        with connection.cursor() as cursor:
            cursor.execute(SUM, [value])
    assert list_prepared() == []
