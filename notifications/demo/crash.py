"""Kill workers with -9 while they send, then judge by the sandbox's own log."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import Count

from notifications.demo.console import Console
from notifications.demo.story import WAIT_TIMEOUT_S, ring
from notifications.demo.world import World
from notifications.models import Campaign, Delivery

KILLS_MIN = 3
# Between kills a worker must start and get to sending again.
POLL_S = 0.003


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, by the log of what the provider accepted."""

    kills: int
    accepted: int
    lost: int
    duplicates: int
    unknown: int
    unknown_max: int

    @property
    def holds(self) -> bool:
        return (
            self.kills >= KILLS_MIN
            and self.accepted >= 1_000
            and self.lost == 0
            and self.duplicates == 0
            and self.unknown <= self.unknown_max
        )


def kill_while_sending(campaign: Campaign, world: World, *, console: Console) -> int:
    """Kill the worker again and again until nothing is left to send.

    A kill counts where at least one row stood as `sending` after it. Once there
    are enough, the last worker may finish.
    """
    kills = 0
    total = campaign.deliveries.count()
    ends = time.monotonic() + WAIT_TIMEOUT_S
    while kills < KILLS_MIN:
        if not world.is_alive("worker"):
            world.start_worker()
        ring("send_deliveries")
        if not _wait_until_sending(campaign, until=ends):
            break
        world.kill("worker")
        caught = _count(campaign, Delivery.State.SENDING)
        if caught:
            kills += 1
            left = Delivery.objects.open().filter(campaign=campaign).count()
            console.line(
                f"kill -9 number {kills}: {caught} rows were `sending`, "
                f"{total - left:,} of {total:,} done"
            )
    world.start_worker()
    return kills


def _wait_until_sending(campaign: Campaign, *, until: float) -> bool:
    """True at the moment a row is `sending`; False when none is left."""
    rung = time.monotonic()
    while time.monotonic() < until:
        if _count(campaign, Delivery.State.SENDING):
            return True
        if not Delivery.objects.pending().filter(campaign=campaign).exists():
            return False
        if time.monotonic() - rung > 1:
            ring("send_deliveries")
            rung = time.monotonic()
        time.sleep(POLL_S)
    return False


def _count(campaign: Campaign, state: str) -> int:
    return campaign.deliveries.filter(state=state).count()


def judge_log(log: Path, campaign: Campaign, *, kills: int) -> Verdict:
    """Join the sandbox's log with the rows.

    Lost: rows without an end, and rows that say sent but were never accepted.
    Duplicates: deliveries accepted more than once (all are promotional).
    """
    accepted: Counter[str] = Counter()
    with log.open("rb") as lines:
        for line in lines:
            message = json.loads(line)["request"]["message"]
            accepted[message["data"]["delivery_id"]] += 1
    states = dict(campaign.deliveries.values_list("state").annotate(count=Count("pk")))
    open_rows = Delivery.objects.open().filter(campaign=campaign).count()
    sent = campaign.deliveries.filter(state=Delivery.State.SENT)
    never_accepted = sum(
        str(pk) not in accepted for pk in sent.values_list("pk", flat=True)
    )
    ours = {str(pk) for pk in campaign.deliveries.values_list("pk", flat=True)}
    return Verdict(
        kills=kills,
        accepted=sum(key in ours for key in accepted),
        lost=open_rows + never_accepted,
        duplicates=sum(n > 1 for key, n in accepted.items() if key in ours),
        unknown=states.get(Delivery.State.UNKNOWN, 0),
        # Each process of a killed worker may have had one batch in flight.
        unknown_max=kills * 2 * settings.DELIVERY_BATCH,
    )
