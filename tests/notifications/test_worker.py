"""The sweeper: it must outlive everything it asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerError

from crm import bell
from notifications.worker import Rounds, ring_for_work
from tests.notifications.factories import make_campaign, make_reachable, plan_for


def wait_for(reached: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 5
    while time.monotonic() < ends:
        if reached():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    "error",
    [
        BrokerError("the broker is away"),
        ConnectionRefusedError(),
        OperationalError("the database is away"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_rounds_go_on_after_a_fault(error: Exception) -> None:
    rounds: list[int] = []

    def walk() -> None:
        rounds.append(1)
        raise error

    thread = Rounds("test", walk, every_s=0.01)
    thread.start()
    assert wait_for(lambda: len(rounds) >= 3)
    thread.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()


@pytest.mark.django_db
def test_due_work_is_rung_for(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_for(make_campaign(), make_reachable())
    rung: list[str] = []
    monkeypatch.setattr(bell.app, "send_task", lambda name, **_: rung.append(name))

    ring_for_work()
    assert rung == ["notifications.tasks.send_deliveries"]


def test_a_broker_that_never_answers_does_not_stop_the_sweep() -> None:
    """Each has a thread of its own, so the one may hang for ever."""
    hung, swept = threading.Event(), threading.Event()

    def hang() -> None:
        hung.set()
        threading.Event().wait(5)

    ringer = Rounds("ringer", hang, every_s=0.01)
    sweeper = Rounds("sweeper", swept.set, every_s=0.01)
    ringer.start()
    assert hung.wait(5)
    sweeper.start()
    assert swept.wait(5)
    ringer.stop()
    sweeper.stop()


def test_the_clients_own_errors_are_faults_too() -> None:
    class ClientError(Exception):
        """Like redis.exceptions.ConnectionError, which is no OSError."""

    rounds: list[int] = []

    def walk() -> None:
        rounds.append(1)
        raise ClientError

    thread = Rounds("test", walk, every_s=0.01, faults=(ClientError,))
    thread.start()
    assert wait_for(lambda: len(rounds) >= 2)
    thread.stop()
