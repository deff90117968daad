"""A process counts down what it leased, and asks the shared row rarely."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from crm.api import auth
from crm.api.rates import Allowance, forget_allowances
from crm.models import RateBucket
from tests.factories import make_api_key

EVENT = b'{"userId": "a", "event": "Seen"}'


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    auth.forget_keys()
    forget_allowances()
    yield
    auth.forget_keys()
    forget_allowances()


def test_the_shared_row_is_asked_twice_a_second_at_full_rate() -> None:
    asked: list[float] = []

    def lease(wanted: float) -> float:
        asked.append(wanted)
        return wanted

    allowance = Allowance()
    passed = [
        allowance.spend(lease, rate_per_s=100, now=call / 100) for call in range(300)
    ]

    assert all(passed)
    assert asked == [50.0] * 6


def test_who_is_refused_is_refused_for_a_while_without_asking() -> None:
    asked: list[float] = []

    def lease(wanted: float) -> float:
        asked.append(wanted)
        return 0

    allowance = Allowance()
    for call in range(100):
        assert not allowance.spend(lease, rate_per_s=100, now=call / 500)

    assert len(asked) == 1


def test_a_lease_that_was_not_used_in_time_ends() -> None:
    allowance = Allowance()
    allowance.spend(lambda wanted: wanted, rate_per_s=100, now=0)

    assert not allowance.spend(lambda wanted: 0, rate_per_s=100, now=1.5)


@pytest.mark.django_db
def test_a_key_beyond_its_rate_waits_and_another_does_not(settings) -> None:
    settings.RATE_API_PER_S = 2
    loud, quiet = make_api_key("read"), make_api_key("read")

    def call(key: str):
        return Client().get("/api/contacts/", HTTP_AUTHORIZATION=f"Bearer {key}")

    answers = [call(loud) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert [answer.status_code for answer in answers[:4]] == [200] * 4
    assert refused
    assert int(refused[0]["Retry-After"]) >= 1
    assert refused[0].json()["code"] == "rate_limited"
    assert set(refused[0].json()) == {"code", "path", "message", "detail"}
    assert call(quiet).status_code == 200


@pytest.mark.django_db
def test_an_address_that_tries_keys_is_told_to_wait_and_a_right_key_is_not(
    settings,
) -> None:
    settings.RATE_STRANGER_PER_S = 1
    for path in ("/v1/track", "/api/contacts/", "/api/v1/events"):
        method = "GET" if "contacts" in path else "POST"
        answers = [
            Client().generic(
                method, path, EVENT, HTTP_AUTHORIZATION=f"Bearer no-{path}-{guess}"
            )
            for guess in range(6)
        ]
        assert answers[-1].status_code == 429, path
        assert int(answers[-1]["Retry-After"]) >= 1
        assert answers[-1].json()["code"] == "rate_limited"
    right = Client().post(
        "/v1/track",
        EVENT,
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {make_api_key('track')}",
    )

    assert right.status_code == 200
    assert not RateBucket.objects.filter(name__contains="127.0.0.1").exists()
