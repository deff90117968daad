"""A transaction tried again, where others changed the same rows meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection
from psycopg import errors

MAX_TRIES = 10
BROKEN = (errors.DeadlockDetected, errors.SerializationFailure)
Result = TypeVar("Result")


def retry_transaction(
    act: Callable[[], Result], *, also: tuple[type[Exception], ...] = ()
) -> Result:
    """What `act`, one whole transaction, answers; run at most MAX_TRIES times.

    Again after a deadlock, and after what `also` names. Inside a caller's transaction
    a deadlock is raised at once: nothing of it is left to try again.
    """
    for _ in range(MAX_TRIES - 1):
        try:
            return act()
        except also:
            continue
        except OperationalError as error:
            if not isinstance(error.__cause__, BROKEN) or connection.in_atomic_block:
                raise
    return act()
