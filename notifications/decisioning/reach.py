"""Reach: how many of an audience could get a message now, and why others not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from crm.models.device import TOKEN_LIFE_DAYS, Device
from notifications.models import CampaignVersion
from notifications.models.channel import Channel
from notifications.reasons import name_reason
from preferences.permission import permissions_for

# Consent is asked of so many; a larger audience is judged by these.
SAMPLE = 1_000
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

COUNT = """
WITH people AS (SELECT contact_id FROM ({people}) p LIMIT %s), state AS (
    SELECT p.contact_id, {best} AS best
    FROM people p
    JOIN crm_contact c ON c.id = p.contact_id
        AND c.canonical_id IS NULL AND c.erased_at IS NULL
    {join}
    GROUP BY p.contact_id)
SELECT count(*), count(*) FILTER (WHERE best = 3),
    count(*) FILTER (WHERE best = 0), count(*) FILTER (WHERE best = 1),
    count(*) FILTER (WHERE best = 2),
    (SELECT array_agg(contact_id) FROM (
        SELECT contact_id FROM state WHERE best = 3
        ORDER BY hashint8(contact_id) LIMIT %s) s)
FROM state
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """People by what stands in the way; every one of `audience` is in one count.

    `is_estimate`: consent was asked of a sample. `is_cut`: the audience is larger
    than what was counted.
    """

    audience: int
    reachable: int
    reasons: tuple[tuple[str, int], ...]
    is_estimate: bool = False
    is_cut: bool = False

    @property
    def in_words(self) -> list[tuple[str, int]]:
        return [(name_reason(reason), count) for reason, count in self.reasons]


def measure_reach(
    version: CampaignVersion, *, people: str, params: list[Any], at: datetime
) -> Reach:
    """`people` is SQL with a column contact_id; at most five queries."""
    best, join = ADDRESSES.get(Channel(version.channel), (BY_DEVICE, DEVICES))
    devices = [at - timedelta(days=TOKEN_LIFE_DAYS), list(Device.SHOWING)]
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT.replace("{best}", best)
            .replace("{join}", join)
            .replace("{people}", people),
            [*params, MAX_COUNTED, *(devices if join else ()), SAMPLE],
        )
        audience, addressed, none, dead, denied, sample = cursor.fetchone()
    refused = _ask_consent(version, sample or [], at=at)
    share = addressed / len(sample) if sample else 0.0
    counts = {
        "no_address": none,
        "dead_address": dead,
        "permission_denied": denied,
        **{reason: round(count * share) for reason, count in refused.items()},
    }
    return Reach(
        audience=audience,
        reachable=addressed - sum(round(n * share) for n in refused.values()),
        reasons=tuple((reason, count) for reason, count in counts.items() if count),
        is_estimate=addressed > len(sample or []),
        is_cut=audience >= MAX_COUNTED,
    )


def _ask_consent(
    version: CampaignVersion, ids: list[int], *, at: datetime
) -> Counter[str]:
    if not ids:
        return Counter()
    answers = permissions_for(
        ids,
        center_id=None,
        topic_id=version.topic_id,
        channel=version.channel,
        purpose_class="promotional"
        if version.purpose_class == "promotional"
        else "transactional",
        at=at,
    )
    return Counter(
        str(answer.reason) for answer in answers.values() if not answer.allowed
    )
