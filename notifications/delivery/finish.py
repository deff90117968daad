"""Finish: write what came of each POST, in small groups, fenced by the lease.

A worker that was given up for dead finds its lease gone and changes nothing.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from crm.clock import read_clock
from crm.events.devices import leave_changed
from crm.models import Device
from notifications.channels.base import AddressState, Outcome, SendResult
from notifications.delivery.gate import Post
from notifications.delivery.outcomes import hold_new_segments, leave_outcomes
from notifications.delivery.retry import Next, make_spread, plan_next
from notifications.models import Delivery

# Of several devices, the best answer stands for the person.
BEST_FIRST = (
    Outcome.SENT,
    Outcome.AMBIGUOUS,
    Outcome.NOT_ACCEPTED,
    Outcome.NOT_SENT,
    Outcome.CONFIG,
    Outcome.REJECTED,
    Outcome.DEAD_ADDRESS,
)

ATTEMPT_STATES = {
    Outcome.SENT: "sent",
    Outcome.DEAD_ADDRESS: "dead_address",
    Outcome.AMBIGUOUS: "unknown",
}

WRITE_ATTEMPTS = """
UPDATE notifications_attempt a
SET state = w.state, http_status = w.http_status, code = w.code, detail = w.detail,
    provider_id = w.provider_id, retry_after_s = w.retry_after_s,
    finished_at = clock_timestamp()
FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[],
            %s::float8[])
    AS w (id, state, http_status, code, detail, provider_id, retry_after_s)
WHERE a.id = w.id AND a.lease = %s AND a.state = 'sending'
"""

WRITE_DELIVERIES = """
UPDATE notifications_delivery d
SET state = w.state, reason = w.reason, detail = w.detail,
    due_at = coalesce(w.due_at, d.due_at), tries = d.tries + w.tries,
    maybe_sent = d.maybe_sent OR w.maybe_sent,
    claims = CASE WHEN w.state = 'pending' THEN 0 ELSE d.claims END,
    sent_at = CASE WHEN w.state = 'sent' THEN coalesce(d.sent_at, clock_timestamp())
              ELSE d.sent_at END,
    finished_at = CASE WHEN w.state = 'pending' THEN NULL ELSE clock_timestamp() END,
    lease = NULL, lease_until = NULL
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
            %s::int[], %s::boolean[])
    AS w (id, state, reason, detail, due_at, tries, maybe_sent)
WHERE d.id = w.id AND d.lease = %s AND d.state = 'sending'
RETURNING d.contact_id, d.state
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One POST and what the provider said to it."""

    post: Post
    result: SendResult


def finish_deliveries(answers: Sequence[Answer], *, lease: uuid.UUID) -> int:
    """Write attempts, deliveries and devices of these answers in one transaction.

    All POSTs of one delivery must be among the answers. Answers how many
    deliveries were still ours.
    """
    if not answers:
        return 0
    grouped: dict[uuid.UUID, list[Answer]] = defaultdict(list)
    for answer in answers:
        grouped[answer.post.delivery.pk].append(answer)
    with transaction.atomic():
        hold_new_segments()
        retire_devices(answers)
        others = _find_other_addresses(answers)
        now = read_clock()
        rows = [
            _plan_row(
                group, now=now, has_other=group[0].post.delivery.contact_id in others
            )
            for group in grouped.values()
        ]
        with connection.cursor() as cursor:
            cursor.execute(WRITE_DELIVERIES, [*_columns(rows), lease])
            kept = cursor.fetchall()
            cursor.execute(WRITE_ATTEMPTS, [*_attempt_columns(answers), lease])
        leave_outcomes({"sent": [pk for pk, state in kept if state == "sent"]})
    return len(kept)


def retire_devices(answers: Iterable[Answer]) -> int:
    """Take dead addresses out of use, unless they registered again meanwhile, and
    have segments look at whom they belonged to.

    In the order of their ids, so that two workers never wait for each other.
    """
    dead = [answer for answer in answers if answer.result.address_state]
    dead.sort(key=lambda answer: answer.post.attempt.device_id or 0)
    retired: list[int] = []
    for answer in dead:
        device = Device.objects.filter(
            pk__in=_list_devices([answer]),
            state=Device.State.ACTIVE,
            registered_at__lt=answer.post.attempt.gated_at,
        )
        gone = device.update(
            state=AddressState(answer.result.address_state).value,
            gone_at=answer.result.started_at,
        )
        retired += [answer.post.delivery.contact_id] * gone
    if retired:
        leave_changed(retired, at=read_clock())
    return len(retired)


def _find_other_addresses(answers: Sequence[Answer]) -> set[int]:
    """Contacts with another device to try after a dead one."""
    dead = [
        answer.post.delivery.contact_id
        for answer in answers
        if answer.result.outcome == Outcome.DEAD_ADDRESS
    ]
    if not dead:
        return set()
    rows = Device.objects.reachable(read_clock()).filter(contact_id__in=dead)
    rows = rows.exclude(pk__in=_list_devices(answers))
    return set(rows.values_list("contact_id", flat=True))


def _list_devices(answers: Sequence[Answer]) -> list[int]:
    # A device that was erased meanwhile is None.
    ids = [answer.post.attempt.device_id for answer in answers]
    return [pk for pk in ids if pk is not None]


@dataclass(frozen=True, slots=True)
class _Row:
    delivery_id: uuid.UUID
    next: Next
    detail: str
    maybe_sent: bool


def _plan_row(group: Sequence[Answer], *, now: datetime, has_other: bool) -> _Row:
    best = min(group, key=lambda answer: BEST_FIRST.index(answer.result.outcome))
    row: Delivery = best.post.delivery
    result = best.result
    spends = result.outcome not in (
        Outcome.NOT_SENT,
        Outcome.CONFIG,
        Outcome.DEAD_ADDRESS,
    )
    step = plan_next(
        result.outcome,
        purpose=row.purpose_class,
        attempts_made=row.tries + spends,
        retry_after_s=result.retry_after_s,
        now=now,
        expires_at=row.expires_at,
        spread=make_spread(f"{row.pk}:{row.posts}"),
        has_other_address=has_other,
        free_tries=row.posts - row.tries,
        maybe_sent=row.maybe_sent,
    )
    detail = "" if step.state == "sent" else f"{result.code} {result.detail}".strip()
    return _Row(row.pk, step, detail, result.outcome == Outcome.AMBIGUOUS)


def _columns(rows: Sequence[_Row]) -> list[list[object]]:
    return [
        [row.delivery_id for row in rows],
        [row.next.state for row in rows],
        [str(row.next.reason or "") for row in rows],
        [clean_column(row.detail, 500) for row in rows],
        [row.next.due_at for row in rows],
        [int(row.next.counts_as_attempt) for row in rows],
        [row.maybe_sent for row in rows],
    ]


def _attempt_columns(answers: Sequence[Answer]) -> list[list[object]]:
    results = [answer.result for answer in answers]
    return [
        [answer.post.attempt.pk for answer in answers],
        [ATTEMPT_STATES.get(result.outcome, "failed") for result in results],
        [result.http_status for result in results],
        [clean_column(result.code, 64) for result in results],
        [clean_column(result.detail, 300) for result in results],
        [clean_column(result.provider_id, 200) for result in results],
        [result.retry_after_s for result in results],
    ]


def clean_column(said: str, limit: int) -> str:
    """What a provider said, as PostgreSQL can keep it: no answer may be lost for
    a null character or half a surrogate pair."""
    plain = said.replace("\x00", "").encode("utf-8", "replace").decode()
    return plain[:limit]
