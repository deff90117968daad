"""Kill workers with -9 while they send, then judge by the sandbox's own log."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import Count

from crm.bell import ring
from notifications.demo.console import Console
from notifications.demo.story import WAIT_TIMEOUT_S
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
    """Kill the worker again and again while it sends; answers how many counted.

    A kill counts where rows that this worker had put to `sending` stand so after
    it; rows left by an earlier one do not. The last worker may finish.
    """
    kills = 0
    total = campaign.deliveries.count()
    # Between kills each worker gets an equal part of the way.
    stride = total // (KILLS_MIN + 2)
    orphans: set[uuid.UUID] = set()
    ends = time.monotonic() + WAIT_TIMEOUT_S
    while kills < KILLS_MIN:
        if not world.is_alive("worker"):
            world.start_worker(processes=1)
        goal = _count_done(campaign) + stride
        if not _wait_until_sending(campaign, orphans, goal=goal, until=ends):
            break
        world.kill("worker")
        caught = _list_leases(campaign) - orphans
        orphans |= caught
        if caught:
            kills += 1
            rows = campaign.deliveries.filter(state="sending", lease__in=caught)
            console.line(
                f"kill -9 number {kills}: {rows.count()} rows were `sending`, "
                f"{_count_done(campaign):,} of {total:,} done"
            )
    world.start_worker(processes=1)
    return kills


def _wait_until_sending(
    campaign: Campaign, orphans: set[uuid.UUID], *, goal: int, until: float
) -> bool:
    """True at a moment past the goal when rows of a living worker are `sending`."""
    rung = 0.0
    while time.monotonic() < until:
        if time.monotonic() - rung > 1:
            ring("notifications.tasks.send_deliveries")
            rung = time.monotonic()
            if not Delivery.objects.open().filter(campaign=campaign).exists():
                return False
        if _list_leases(campaign) - orphans and _count_done(campaign) >= goal:
            return True
        time.sleep(POLL_S)
    return False


def _list_leases(campaign: Campaign) -> set[uuid.UUID]:
    rows = campaign.deliveries.filter(state=Delivery.State.SENDING)
    leases = rows.values_list("lease", flat=True).distinct()
    return {lease for lease in leases if lease}


def _count_done(campaign: Campaign) -> int:
    return campaign.deliveries.filter(state__in=Delivery.FINAL).count()


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
        # A killed worker of one process had one batch in flight.
        unknown_max=kills * settings.DELIVERY_BATCH,
    )
