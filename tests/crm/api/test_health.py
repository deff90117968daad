from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_process_that_reaches_its_database_is_well(
    method: str, client: Client, settings: Any
) -> None:
    # A probe speaks plain HTTP, also where browsers are sent to https.
    settings.SECURE_SSL_REDIRECT = True
    answer = getattr(client, method)("/healthz")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert method == "head" or answer.json() == {"status": "ok"}


def test_without_its_database_it_says_when_to_ask_again(client: Client) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(refuse):
        answer = client.get("/healthz")
    body = json.loads(answer.content)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert (body["code"], sorted(body)) == (
        "unavailable",
        ["code", "detail", "message", "path"],
    )


def test_nothing_is_changed_by_asking(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
