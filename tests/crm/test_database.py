"""Our engine: no log of statements because of DEBUG, but for those who ask."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.events.statements import open_cursor

pytestmark = pytest.mark.django_db


def ask_twice() -> None:
    for cursor in (connection.cursor(), open_cursor()):
        with cursor:
            cursor.execute("SELECT %s::int", [1])


def test_a_process_with_debug_keeps_no_statement(settings: Any) -> None:
    settings.DEBUG = True
    before = len(connection.queries_log)
    ask_twice()
    assert len(connection.queries_log) == before


def test_who_counts_queries_sees_them() -> None:
    with CaptureQueriesContext(connection) as seen:
        ask_twice()
    assert len(seen) == 2
