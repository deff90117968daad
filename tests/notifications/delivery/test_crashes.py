"""A worker killed at each point of its way: what the next one finds, and does.

The child is a real process with a connection of its own, ended without a word by
`os._exit`. What was posted is judged by the provider's own log, a file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone

from notifications.campaigns.launch import launch_campaign
from notifications.campaigns.runs import start_due_runs
from notifications.channels.base import OutgoingPush, SendResult
from notifications.delivery.claim import claim_deliveries
from notifications.delivery.send import send_batch, send_due
from notifications.delivery.sweep import sweep_leases
from notifications.models import Attempt, Campaign, Delivery, Sender
from tests.notifications.factories import (
    answer_sent,
    lift_limits,
    make_campaign,
    make_reachable,
    make_topic,
    plan_for,
)

pytestmark = pytest.mark.django_db(transaction=True)

KILLED = 9


@pytest.fixture(autouse=True)
def _no_limits(db: None) -> None:
    lift_limits()


class FileChannel:
    """A provider that logs each message it takes; it may take its caller along."""

    def __init__(self, log: Path, *, dies_before: int = -1) -> None:
        self._log = log
        self._dies_before = dies_before

    def send(
        self, messages: Sequence[OutgoingPush], *, deadline_s: float
    ) -> Iterator[tuple[int, SendResult]]:
        for index, message in enumerate(messages):
            if index == self._dies_before:
                os._exit(KILLED)
            with open(self._log, "a", encoding="utf-8") as log:
                log.write(f"{message.delivery_id}\n")
            yield index, answer_sent(message)
        if self._dies_before == len(messages):
            os._exit(KILLED)

    def count_posts(self) -> Counter[str]:
        lines = self._log.read_text().split() if self._log.exists() else []
        return Counter(lines)


def kill_in_child(work: Callable[[], object]) -> None:
    """Run it in a forked process that ends itself on the way."""
    # A connection shared over a fork would be ended by the child.
    connections.close_all()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == KILLED, "the child did not come to its point"


def plan_batch(*, purpose: str = "promotional", count: int = 3) -> Campaign:
    topic = make_topic()
    campaign = make_campaign(purpose_class=purpose)
    plan_for(campaign, *[make_reachable(topic=topic) for _ in range(count)])
    return campaign


def recover(channel: FileChannel) -> None:
    """The lease ends, the sweeper comes by, another worker goes on until the end."""
    for _ in range(4):
        Delivery.objects.filter(lease_until__isnull=False).update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
        sweep_leases()
        Delivery.objects.filter(state="pending").update(due_at=timezone.now())
        send_due(budget_s=10, open_one=lambda sender: channel)


def count_states(campaign: Campaign) -> Counter[str]:
    return Counter(campaign.deliveries.values_list("state", flat=True))


def test_killed_between_claim_and_gate_everything_is_sent_once(tmp_path: Path) -> None:
    campaign, channel = plan_batch(), FileChannel(tmp_path / "log")

    def work() -> None:
        claim_deliveries(Sender.objects.get(), limit=20)
        os._exit(KILLED)

    kill_in_child(work)
    assert count_states(campaign) == {"claimed": 3}
    recover(channel)
    assert count_states(campaign) == {"sent": 3}
    assert set(channel.count_posts().values()) == {1}


@pytest.mark.parametrize(
    ("_case", "purpose", "dies_before", "ends", "posts"),
    [
        ("gate | POST", "promotional", 0, {"unknown": 3}, 0),
        ("gate | POST, resent", "transactional", 0, {"sent": 3}, 3),
        ("POST | POST", "promotional", 1, {"unknown": 3}, 1),
        ("POST | POST, resent", "transactional", 1, {"sent": 3}, 4),
        ("POST | finish", "promotional", 3, {"unknown": 3}, 3),
        ("POST | finish, resent", "transactional", 3, {"sent": 3}, 6),
    ],
)
def test_killed_after_the_gate_it_ends_by_its_class(
    tmp_path: Path,
    _case: str,
    purpose: str,
    dies_before: int,
    ends: dict[str, int],
    posts: int,
) -> None:
    campaign = plan_batch(purpose=purpose)
    dying = FileChannel(tmp_path / "log", dies_before=dies_before)
    kill_in_child(lambda: send_batch(Sender.objects.get(), dying))
    assert count_states(campaign) == {"sending": 3}
    channel = FileChannel(tmp_path / "log")
    recover(channel)
    assert count_states(campaign) == ends
    assert channel.count_posts().total() == posts
    if purpose == "promotional":
        assert max(channel.count_posts().values(), default=0) <= 1
    assert not Attempt.objects.filter(state="sending").exists()


def test_killed_between_finish_and_next_nothing_is_left_to_do(tmp_path: Path) -> None:
    campaign, channel = plan_batch(), FileChannel(tmp_path / "log")

    def work() -> None:
        send_batch(Sender.objects.get(), channel)
        os._exit(KILLED)

    kill_in_child(work)
    assert count_states(campaign) == {"sent": 3}
    recover(channel)
    assert channel.count_posts().total() == 3


def test_a_planner_killed_in_mid_insert_leaves_nothing_and_plans_again() -> None:
    make_reachable()
    campaign = launch_campaign(make_campaign(), by="test")
    due = F("launched_at") - timedelta(seconds=1)
    Campaign.objects.filter(pk=campaign.pk).update(next_run_at=due)

    def work() -> None:
        with transaction.atomic():
            start_due_runs()
            os._exit(KILLED)

    kill_in_child(work)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.deliveries.count()) == ("scheduled", 0)
    assert start_due_runs() == 1
    assert start_due_runs() == 0
    assert campaign.deliveries.count() == 1


def test_what_kills_every_worker_is_quarantined_and_takes_nobody_along(
    tmp_path: Path,
) -> None:
    campaign, channel = plan_batch(count=4), FileChannel(tmp_path / "log")
    poison = campaign.deliveries.order_by("pk")[0].pk

    def work() -> None:
        """Dies in rendering wherever the poisoned row is in the batch."""
        sender = Sender.objects.get()
        while claim := claim_deliveries(sender, limit=20).deliveries:
            if poison in {row.pk for row in claim}:
                os._exit(KILLED)
            Delivery.objects.filter(pk__in=[row.pk for row in claim]).update(
                state="pending", lease=None, lease_until=None, claims=0
            )
            send_batch(sender, channel)

    for _ in range(3):
        kill_in_child(work)
        Delivery.objects.filter(lease_until__isnull=False).update(
            lease_until=timezone.now() - timedelta(seconds=1)
        )
        sweep_leases()
    assert campaign.deliveries.get(pk=poison).state == "quarantined"
    recover(channel)
    assert count_states(campaign) == {"sent": 3, "quarantined": 1}
    assert set(channel.count_posts().values()) == {1}
