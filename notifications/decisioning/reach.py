"""Reach: who of an audience could get a message now, and why others not.

One statement answers for one person, for those just touched and for everybody; counts
before a launch, pages of segments and the condition `reachable` all ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from crm.models.device import TOKEN_LIFE_DAYS, Device
from crm.ports.facts import Sql
from notifications.models import CampaignVersion
from notifications.models.channel import Channel
from notifications.reasons import Reason, name_reason
from preferences.permission import PurposeClass, select_permissions

# Counting stops here: past it the page says "more than".
MAX_COUNTED = 100_000

# Of each person's addresses, the best: 0 there is none, 1 dead, 2 denied, 3 good.
BY_DEVICE = """max(CASE
        WHEN d.id IS NULL THEN 0
        WHEN d.state <> 'active' OR d.last_seen_at <= %s THEN 1
        WHEN NOT d.permission = ANY(%s) THEN 2 ELSE 3 END)"""
BY_EMAIL = "max(CASE WHEN c.email = '' THEN 0 ELSE 3 END)"
BY_PHONE = "max(CASE WHEN c.phone = '' THEN 0 ELSE 3 END)"
DEVICES = "LEFT JOIN crm_device d ON d.contact_id = p.contact_id"
# Channel → the best address, and the join it needs; push where none is said.
ADDRESSES = {
    Channel.EMAIL: (BY_EMAIL, ""),
    Channel.SMS: (BY_PHONE, ""),
    Channel.WHATSAPP: (BY_PHONE, ""),
}
# What stands in the way, in the order in which it is told: no address comes first,
# since nobody without one can be asked to agree.
OBSTACLES = (
    Reason.NO_ADDRESS,
    Reason.DEAD_ADDRESS,
    Reason.PERMISSION_DENIED,
    Reason.SUPPRESSED,
    Reason.NO_CONSENT,
)

STATES = """
WITH state AS (
    SELECT p.contact_id, {best} AS best
    FROM ({people}) p
    JOIN crm_contact c ON c.id = p.contact_id
        AND c.canonical_id IS NULL AND c.erased_at IS NULL
    {join}
    GROUP BY p.contact_id)
SELECT s.contact_id, CASE s.best WHEN 0 THEN 'no_address' WHEN 1 THEN 'dead_address'
    WHEN 2 THEN 'permission_denied' ELSE a.reason END AS reason
FROM state s LEFT JOIN ({allowed}) a ON a.contact_id = s.contact_id
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message is about, and by which road: the topic by its id, or by its key
    in the default brand's center; a purpose of None is the topic's own."""

    channel: str
    topic_id: int | None = None
    topic_key: str = ""
    purpose_class: PurposeClass | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """People by what stands in the way; every one of `audience` is in one count.

    `is_cut`: the audience is larger than what was counted.
    """

    audience: int
    reachable: int
    reasons: tuple[tuple[str, int], ...]
    is_cut: bool = False

    @property
    def in_words(self) -> list[tuple[str, int]]:
        return [(name_reason(reason), count) for reason, count in self.reasons]


def select_obstacles(people: Sql, *, subject: Subject, at: datetime) -> Sql:
    """`contact_id, reason` of each of `people` who is still there: one of OBSTACLES,
    or '' where a message could go. `people` has a column contact_id."""
    best, join = BY_DEVICE, DEVICES
    devices: tuple[Any, ...] = (
        at - timedelta(days=TOKEN_LIFE_DAYS),
        list(Device.SHOWING),
    )
    if subject.channel in ADDRESSES:
        best, join = ADDRESSES[Channel(subject.channel)]
        devices = ()
    allowed = select_permissions(
        Sql("SELECT contact_id FROM state WHERE best = 3"),
        channel=subject.channel,
        purpose_class=subject.purpose_class,
        topic_id=subject.topic_id,
        topic_key=subject.topic_key,
    )
    return Sql(
        STATES.format(best=best, people=people.text, join=join, allowed=allowed.text),
        (*devices, *people.params, *allowed.params),
    )


def measure_reach(
    version: CampaignVersion, *, people: str, params: list[Any], at: datetime
) -> Reach:
    """`people` is SQL with a column contact_id; one query."""
    subject = Subject(
        version.channel,
        topic_id=version.topic_id,
        purpose_class="promotional"
        if version.purpose_class == "promotional"
        else "transactional",
    )
    counted = Sql(
        f"SELECT contact_id FROM ({people}) p LIMIT %s", (*params, MAX_COUNTED)
    )
    found = select_obstacles(counted, subject=subject, at=at)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT o.reason, count(*) FROM ({found.text}) o GROUP BY o.reason",
            found.params,
        )
        counts = dict(cursor.fetchall())
    audience = sum(counts.values())
    return Reach(
        audience=audience,
        reachable=counts.get("", 0),
        reasons=tuple(
            (reason.value, counts[reason]) for reason in OBSTACLES if reason in counts
        ),
        is_cut=audience >= MAX_COUNTED,
    )
