"""The sweeper: it must outlive everything it asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from crm import bell
from crm.clock import read_clock
from notifications.models import Delivery
from notifications.worker import FIND_UNRUNG, Rounds, find_unrung, ring_for_work
from segments.editing import save_segment
from segments.models import ContactClock
from segments.tasks import refresh_segments
from tests.factories import make_contact
from tests.notifications.factories import (
    make_campaign,
    make_reachable,
    make_sender,
    plan_for,
)

PRO = {
    "version": 1,
    "root": {"type": "attribute", "trait": "plan", "op": "equals", "value": "pro"},
}


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


@pytest.mark.django_db
def test_at_rest_nothing_is_rung_for() -> None:
    sender = make_sender()
    plan_for(make_campaign(), make_reachable())
    save_segment(name="Everybody", rule=PRO, actor="test")
    assert find_unrung() == [
        "notifications.tasks.send_deliveries",
        "segments.tasks.refresh_segments",
    ]

    refresh_segments()
    sender.pause(at=read_clock(), reason="Typo")
    assert find_unrung() == []


@pytest.mark.django_db
def test_time_that_moves_members_is_rung_for() -> None:
    contact = make_contact()
    segment = save_segment(name="Pro", rule=PRO, actor="test")
    refresh_segments()
    clock = ContactClock(contact=contact, segment=segment)
    clock.next_change_at = read_clock() + timedelta(hours=1)
    clock.save()
    assert find_unrung() == []

    clock.next_change_at = read_clock()
    clock.save()
    assert find_unrung() == ["segments.tasks.expire_memberships"]


@pytest.mark.django_db
def test_rows_due_tomorrow_are_not_looked_through() -> None:
    """Two priorities of one sender: a handful of index rows, whatever waits."""
    campaign, contact = make_campaign(), make_reachable()
    (row,) = plan_for(campaign, contact, due_at=timezone.now() + timedelta(days=1))
    copy_delivery(row, times=5_000, priority=0)
    copy_delivery(row, times=5_000, priority=50)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE notifications_delivery")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {FIND_UNRUNG}")
        plan = cursor.fetchone()[0][0]["Plan"]

    assert find_unrung() == []
    scans = [
        node
        for node in walk_plan(plan)
        if node.get("Relation Name") == "notifications_delivery"
    ]
    assert scans
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) <= 10
    assert sum(node.get("Rows Removed by Filter", 0) for node in scans) == 0


def copy_delivery(row: Delivery, *, times: int, priority: int) -> None:
    """Rows like this one, for other occurrences."""
    columns = [
        field.column
        for field in Delivery._meta.concrete_fields
        if field.column not in ("id", "occurrence", "priority")
    ]
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO notifications_delivery (id, occurrence, priority, {names}) "
            f"SELECT gen_random_uuid(), '{priority}-' || n, %s, {names} "
            "FROM notifications_delivery, generate_series(1, %s) n WHERE id = %s",
            [priority, times, row.pk],
        )


def walk_plan(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from walk_plan(child)


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
