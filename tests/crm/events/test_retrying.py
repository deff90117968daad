"""A whole transaction is tried again, and only where that can help."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError, transaction
from psycopg import errors

from crm.events.retrying import MAX_TRIES, retry_transaction


class RaceLost(Exception):
    """Somebody else was faster."""


def break_with(cause: Exception) -> OperationalError:
    error = OperationalError()
    error.__cause__ = cause
    return error


def fail_times(times: int, error: Exception) -> tuple[Callable[[], str], list[int]]:
    calls: list[int] = []

    def act() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return act, calls


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("_case", "error"),
    [
        ("a deadlock", break_with(errors.DeadlockDetected())),
        ("what the caller names", RaceLost()),
    ],
)
def test_a_lost_race_is_run_again(_case: str, error: Exception) -> None:
    act, calls = fail_times(MAX_TRIES - 1, error)
    assert retry_transaction(act, also=(RaceLost,)) == "done"
    assert len(calls) == MAX_TRIES

    act, calls = fail_times(MAX_TRIES, error)
    with pytest.raises(type(error)):
        retry_transaction(act, also=(RaceLost,))
    assert len(calls) == MAX_TRIES


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("_case", "error"),
    [
        ("another fault of the database", break_with(errors.DiskFull())),
        ("what the caller does not name", RaceLost()),
    ],
)
def test_anything_else_is_raised_at_once(_case: str, error: Exception) -> None:
    act, calls = fail_times(1, error)
    with pytest.raises(type(error)):
        retry_transaction(act)
    assert len(calls) == 1


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_inside_a_callers_transaction_is_the_callers() -> None:
    act, calls = fail_times(1, break_with(errors.DeadlockDetected()))
    with pytest.raises(OperationalError), transaction.atomic():
        retry_transaction(act)
    assert len(calls) == 1
