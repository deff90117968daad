"""Many drawn cases in one test: each is judged, and undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

# × 1 in every run, × 14 by `--full`: 1,500 and 20,000 in sum with the schema's.
LONG = 13
SIZES = [
    pytest.param(1, id="quick"),
    pytest.param(LONG, id="long", marks=pytest.mark.full),
]
ERROR_KEYS = {"code", "path", "message", "detail"}
TRACES = ("Traceback", "psycopg", 'File "/')


def run_cases(
    strategy: st.SearchStrategy[Any], check: Callable[[Any], None], count: int
) -> None:
    """`count` cases; each undoes what it did."""

    def one(case: Any) -> None:
        with transaction.atomic():
            check(case)
            transaction.set_rollback(True)

    run = settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=count < 200,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )(given(strategy)(one))
    run()


def check_answer(answer: HttpResponse, what: Any = None) -> None:
    """2xx to 4xx; a refusal has the one shape; no inner word gets out."""
    note = repr(what)[:500]
    assert answer.status_code < 500, (answer.status_code, note)
    text = b"" if answer.streaming else answer.content
    assert not any(trace.encode() in text for trace in TRACES), note
    if answer.status_code < 400 or answer["Content-Type"] != "application/json":
        return
    body = json.loads(text)
    assert set(body) >= ERROR_KEYS, (body, note)
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body["path"], str)


def check_alive(client: Client) -> None:
    assert client.get("/healthz").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
