"""Answers that are hard to write down."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import pytest
from django.db import connections

from notifications.channels.base import (
    AddressState,
    Outcome,
    OutgoingPush,
    SendResult,
)
from notifications.delivery.send import send_due
from tests.notifications.factories import (
    LoggingChannel,
    answer_sent,
    answer_with,
    lift_limits,
    make_campaign,
    make_reachable,
    make_topic,
    plan_for,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_limits(db: None) -> None:
    lift_limits()


@pytest.mark.parametrize(
    ("_case", "fields"),
    [
        ("a null character in the id", {"provider_id": "m/1\x00"}),
        ("half an emoji in the id", {"provider_id": "m/\ud83d"}),
        ("a null character in the detail", {"detail": "a\x00b", "code": "X\x00"}),
        ("a very long text", {"detail": "x" * 9_000, "provider_id": "y" * 9_000}),
    ],
)
def test_no_answer_is_too_strange_to_be_kept(
    _case: str, fields: dict[str, str]
) -> None:
    campaign = make_campaign()
    plan_for(campaign, make_reachable(), make_reachable())
    odd = answer_with(Outcome.SENT, **fields)
    channel = LoggingChannel(lambda push: odd)
    send_due(budget_s=5, open_one=lambda sender: channel)
    assert set(campaign.deliveries.values_list("state", flat=True)) == {"sent"}


class BreakingChannel:
    """Answers so many messages, then breaks as a programming error would."""

    def __init__(self, *, answers: int) -> None:
        self._answers = answers

    def send(
        self, messages: Sequence[OutgoingPush], *, deadline_s: float
    ) -> Iterator[tuple[int, SendResult]]:
        for index, message in enumerate(messages[: self._answers]):
            yield index, answer_sent(message)
        raise RuntimeError("a fault of ours")


def test_answers_in_hand_are_kept_when_the_channel_breaks() -> None:
    people = [make_reachable() for _ in range(3)]
    campaign = make_campaign()
    plan_for(campaign, *people)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        send_due(budget_s=5, open_one=lambda sender: BreakingChannel(answers=2))
    states = sorted(campaign.deliveries.values_list("state", flat=True))
    assert states == ["sending", "sent", "sent"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_retire_the_same_devices_never_block_each_other() -> None:
    topic = make_topic()
    people = [make_reachable(topic=topic) for _ in range(8)]
    for number in range(30):
        plan_for(make_campaign(title=str(number), priority=number % 2), *people)
    dead = answer_with(Outcome.DEAD_ADDRESS, address_state=AddressState.GONE)
    both_posted = threading.Barrier(2, timeout=5)
    errors: list[BaseException] = []

    class MeetingChannel(LoggingChannel):
        """Both workers are about to finish at the same moment, in unlike orders."""

        def __init__(self, *, reverse: bool) -> None:
            super().__init__()
            self._reverse = reverse

        def send(
            self, messages: Sequence[OutgoingPush], *, deadline_s: float
        ) -> Iterator[tuple[int, SendResult]]:
            pushes = list(enumerate(messages))
            with contextlib.suppress(threading.BrokenBarrierError):
                both_posted.wait()
            for index, _ in reversed(pushes) if self._reverse else pushes:
                yield index, dead

    def work(channel: LoggingChannel) -> None:
        try:
            send_due(budget_s=20, open_one=lambda sender: channel)
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=work, args=(MeetingChannel(reverse=flag),))
        for flag in (False, True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
