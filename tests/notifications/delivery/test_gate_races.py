"""The gate under real concurrency: threads with connections of their own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection, connections
from django.utils import timezone

from notifications.campaigns.launch import pause_campaign
from notifications.channels.base import OutgoingPush, SendResult
from notifications.delivery.send import send_due
from notifications.delivery.switches import stop_sending
from notifications.models import Delivery, FrequencyCap, Switch
from preferences.consent import Choice, record_choices
from tests.notifications.factories import (
    LoggingChannel,
    answer_sent,
    lift_limits,
    make_campaign,
    make_reachable,
    make_topic,
    plan_for,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_limits(db: None) -> None:
    lift_limits()


def run_together(*jobs: Callable[[], object]) -> None:
    """All at once; the first error of any is raised here."""
    errors: list[BaseException] = []
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        try:
            start.wait()
            job()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_a_hundred_triggers_at_once_with_a_cap_of_one_send_exactly_one() -> None:
    FrequencyCap.objects.create(name="1 a day", kind="rolling", limit=1, unit="day")
    person = make_reachable()
    campaign = make_campaign(reentry="every")
    for number in range(100):
        plan_for(campaign, person, occurrence=str(number))
    channel = LoggingChannel()

    def send() -> None:
        send_due(budget_s=60, open_one=lambda sender: channel)

    run_together(*[send] * 6)
    assert len(channel.posted) == 1
    ends = Counter(Delivery.objects.values_list("state", "reason"))
    assert ends == {("sent", ""): 1, ("skipped", "capped"): 99}


def test_several_senders_never_post_one_message_twice() -> None:
    topic = make_topic()
    people = [make_reachable(topic=topic) for _ in range(120)]
    plan_for(make_campaign(), *people)
    channel = LoggingChannel()

    def send() -> None:
        send_due(budget_s=60, open_one=lambda sender: channel)

    run_together(*[send] * 4)
    posted = Counter(push.delivery_id for push in channel.posted)
    assert len(posted) == 120
    assert max(posted.values()) == 1
    assert Delivery.objects.filter(state="sent").count() == 120


def test_an_opt_out_is_before_or_after_a_gate_never_beside_it() -> None:
    """Nobody is gated later than their own opt-out was committed."""
    topic = make_topic()
    people = [make_reachable(topic=topic) for _ in range(60)]
    plan_for(make_campaign(), *people)
    channel = LoggingChannel()
    committed: dict[int, object] = {}

    def opt_out() -> None:
        for person in people[::2]:
            record_choices(
                person,
                center=topic.center,
                changes=[Choice(topic_key=topic.key, subscribed=False)],
                at=timezone.now(),
                actor="self",
                source="test",
            )
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                committed[person.pk] = cursor.fetchone()[0]

    def send() -> None:
        send_due(budget_s=60, open_one=lambda sender: channel)

    run_together(opt_out, send, send)
    gated = Delivery.objects.filter(contact_id__in=committed, state="sent")
    late = [row for row in gated if row.gated_at > committed[row.contact_id]]
    assert late == []
    assert Delivery.objects.open().count() == 0


@pytest.mark.parametrize("stop", ["pause", "kill switch"])
def test_the_last_post_begins_within_two_seconds_of_a_stop(stop: str) -> None:
    topic = make_topic()
    people = [make_reachable(topic=topic) for _ in range(120)]
    campaign = make_campaign()
    plan_for(campaign, *people)
    begun: list[float] = []
    stopped_at: list[float] = []

    def answer_slowly(push: OutgoingPush) -> SendResult:
        begun.append(time.monotonic())
        time.sleep(0.01)
        return answer_sent(push)

    channel = LoggingChannel(answer_slowly)

    def send() -> None:
        send_due(budget_s=20, open_one=lambda sender: channel)

    def stop_it() -> None:
        while len(begun) < 30:
            time.sleep(0.005)
        if stop == "pause":
            pause_campaign(campaign, by="test")
        else:
            stop_sending(Switch.ALL, by="test")
        stopped_at.append(time.monotonic())

    run_together(send, send, stop_it)
    assert max(begun) - stopped_at[0] < 2.0
    assert Delivery.objects.pending().count() == 120 - len(begun) > 0
