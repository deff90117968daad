"""The gate: the last transaction before the POST, and the point of no return.

1. Lock the contacts in id order: consent, erasure and merging wait behind.
2. Keep only rows whose lease is still ours.
3. Gather the facts, a fixed number of queries whatever the batch.
4. Decide each row, best priority first; a decision to send counts at once for
   the rows of the same person behind it.
5. Write states, attempts and texts in bulk; commit. Only then may POSTs begin.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from crm.models import Contact, Device
from notifications.channels.base import OutgoingPush
from notifications.content.render import RenderedPush
from notifications.decisioning.decide import (
    Cancel,
    Defer,
    Expire,
    Send,
    Skip,
    decide,
)
from notifications.decisioning.facts import BatchFacts, gather_facts, list_reachable
from notifications.delivery.claim import Claim
from notifications.delivery.messages import (
    Rendered,
    Unrendered,
    build_push,
    describe_text,
)
from notifications.delivery.route import Route, select_devices
from notifications.models import Attempt, Delivery, RenderedMessage
from notifications.reasons import Reason

# One statement writes every row that does not go out now.
SETTLE = """
UPDATE notifications_delivery d
SET state = w.state, reason = w.reason, detail = w.detail,
    due_at = coalesce(w.due_at, d.due_at),
    lease = NULL, lease_until = NULL,
    -- A row put back by a decision did not crash: its claim is no strike.
    claims = CASE WHEN w.state = 'pending' THEN 0 ELSE d.claims END,
    finished_at = CASE WHEN w.state = 'pending' THEN NULL ELSE clock_timestamp() END
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS w (id, state, reason, detail, due_at)
WHERE d.id = w.id AND d.lease = %s AND d.state = 'claimed'
"""

BEGIN_SENDING = """
UPDATE notifications_delivery d
SET state = 'sending', gated_at = %s, locale = w.locale, reason = '', detail = '',
    posts = d.posts + w.posts,
    lease_until = clock_timestamp() + make_interval(secs => %s)
FROM unnest(%s::uuid[], %s::text[], %s::int[]) AS w (id, locale, posts)
WHERE d.id = w.id AND d.lease = %s AND d.state = 'claimed'
"""


@dataclass(frozen=True, slots=True)
class Post:
    """One POST the gate allowed, with the attempt row that stands for it."""

    delivery: Delivery
    attempt: Attempt
    push: OutgoingPush


@dataclass(frozen=True, slots=True)
class Settled:
    """A row that does not go out now, and where it goes instead."""

    delivery_id: uuid.UUID
    state: str
    reason: str = ""
    detail: str = ""
    due_at: datetime | None = None


Texts = Mapping[uuid.UUID, "Rendered | Unrendered"]


def pass_gate(
    claim: Claim, routes: Mapping[uuid.UUID, Route], texts: Texts
) -> list[Post]:
    """Decide every claimed row; answers the POSTs that may be made now."""
    with transaction.atomic():
        ids = sorted({row.contact_id for row in claim.deliveries})
        contacts = Contact.objects.lock_in_order(ids)
        rows = _keep_ours(claim)
        facts = gather_facts(rows, sender=claim.sender, contacts=contacts)
        settled: list[Settled] = []
        posts: list[Post] = []
        for row in rows:
            outcome = _decide_row(
                row, facts, route=routes[row.pk], text=texts.get(row.pk)
            )
            if isinstance(outcome, Settled):
                settled.append(outcome)
                continue
            facts.note_send(row)
            posts += outcome
        settle_rows(settled, lease=claim.lease)
        _begin_sending(posts, texts, at=facts.at, lease=claim.lease)
    return posts


def _keep_ours(claim: Claim) -> list[Delivery]:
    """Rows whose lease has not run out; the sweeper may have taken the others."""
    ours = set(
        Delivery.objects.filter(
            pk__in=[row.pk for row in claim.deliveries],
            lease=claim.lease,
            state=Delivery.State.CLAIMED,
        )
        .extra(where=["lease_until > clock_timestamp()"])
        .select_for_update()
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    return [row for row in claim.deliveries if row.pk in ours]


def _decide_row(
    row: Delivery,
    facts: BatchFacts,
    *,
    route: Route,
    text: Rendered | Unrendered | None,
) -> Settled | list[Post]:
    decision = decide(facts.facts_for(row))
    if not isinstance(decision, Send):
        return build_settled(row, decision)
    if route.blocked_until is not None:
        until = min(route.blocked_until, row.expires_at)
        return Settled(row.pk, "pending", due_at=until)
    reachable = list_reachable(facts.devices[row.contact_id], at=facts.at)
    devices = select_devices(row, route.keep_open(reachable))
    if tuple((device.pk, device.address) for device in devices) != route.addresses:
        # Rendered for another device or language: take it round once more.
        return Settled(row.pk, "pending")
    if not devices:
        # An API call named one device, and it is not among those reachable.
        return build_settled(row, Skip(Reason.DEAD_ADDRESS, "It was for one device."))
    if not isinstance(text, Rendered):
        return _settle_unrendered(row, text)
    return _build_posts(row, facts, text.push, devices=devices)


def _build_posts(
    row: Delivery, facts: BatchFacts, text: RenderedPush, *, devices: Sequence[Device]
) -> list[Post]:
    brand = facts.sender.brand.name
    ttl_s = max(int((row.expires_at - facts.at).total_seconds()), 1)
    return [
        Post(
            row,
            build_attempt(row, device, number=row.posts + index, at=facts.at),
            build_push(row, text, device=device, brand=brand, ttl_s=ttl_s),
        )
        for index, device in enumerate(devices, start=1)
    ]


def _settle_unrendered(row: Delivery, fault: Unrendered | None) -> Settled:
    fault = fault or Unrendered("failed", "template_error", "Nothing was rendered.")
    if row.maybe_sent:
        # An earlier POST may have arrived; nothing later can undo that.
        return Settled(row.pk, "unknown", detail=fault.detail)
    return Settled(row.pk, fault.state, fault.reason, fault.detail)


def build_settled(row: Delivery, decision: Defer | Skip | Cancel | Expire) -> Settled:
    """The row's next state after any answer but a send."""
    match decision:
        case Defer():
            return Settled(
                row.pk,
                "pending",
                decision.reason or "",
                decision.detail,
                decision.until,
            )
        case _ if row.maybe_sent:
            # An earlier POST may have arrived; nothing later can undo that.
            return Settled(row.pk, "unknown", detail="Not sent again.")
        case Skip():
            return Settled(row.pk, "skipped", decision.reason, decision.detail)
        case Cancel():
            return Settled(row.pk, "cancelled", decision.reason, decision.detail)
        case Expire():
            return Settled(row.pk, "expired", detail="Its time had passed.")


def build_attempt(
    row: Delivery, device: Device, *, number: int, at: datetime
) -> Attempt:
    version = row.campaign_version
    assert row.lease is not None, "a row in work is leased"
    return Attempt(
        delivery=row,
        contact_id=row.contact_id,
        device=device,
        number=number,
        channel=row.channel,
        topic_id=row.topic_id,
        counts_in_caps=version.counts_in_caps if version else True,
        platform=device.platform,
        lease=row.lease,
        gated_at=at,
    )


def settle_rows(rows: Sequence[Settled], *, lease: uuid.UUID) -> None:
    """Write the rows that do not go out now, fenced by the lease."""
    if not rows:
        return
    columns: list[list[Any]] = [
        [row.delivery_id for row in rows],
        [row.state for row in rows],
        [str(row.reason) for row in rows],
        [row.detail[:500] for row in rows],
        [row.due_at for row in rows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, [*columns, lease])


def _begin_sending(
    posts: Sequence[Post], texts: Texts, *, at: datetime, lease: uuid.UUID
) -> None:
    if not posts:
        return
    counts = Counter(post.delivery.pk for post in posts)
    rows = {post.delivery.pk: post.delivery for post in posts}
    shown = {key: text for key, text in texts.items() if isinstance(text, Rendered)}
    with connection.cursor() as cursor:
        cursor.execute(
            BEGIN_SENDING,
            [
                at,
                settings.DELIVERY_LEASE_S,
                list(counts),
                [shown[key].locale for key in counts],
                list(counts.values()),
                lease,
            ],
        )
    Attempt.objects.bulk_create([post.attempt for post in posts])
    _keep_texts(rows, shown, at=at)


def _keep_texts(
    rows: Mapping[uuid.UUID, Delivery],
    shown: Mapping[uuid.UUID, Rendered],
    *,
    at: datetime,
) -> None:
    """What each person is shown, unless the call asked to forget it."""
    RenderedMessage.objects.bulk_create(
        [
            RenderedMessage(
                delivery_id=key,
                created_at=at,
                contact_id=row.contact_id,
                locale=shown[key].locale,
                fields=describe_text(shown[key].push),
            )
            for key, row in rows.items()
            if row.said_by_api is None or row.said_by_api.keeps_text
        ]
    )
