"""Port `personal_data`: messages follow a merge, are shown, and lose their person.

Each runs inside the caller's transaction with the contacts locked, so no gate is
open beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from notifications.analytics.metrics import fetch_rows
from notifications.models import (
    ApiSend,
    Attempt,
    Conversion,
    Delivery,
    Engagement,
    RenderedMessage,
)
from notifications.reasons import Reason

# Rows that no POST is being made for.
WAITING = (Delivery.State.PENDING, Delivery.State.CLAIMED)

# Both were to get the same message. The one that may have arrived stays, else the
# older; the other is cancelled where it still waits. It keeps a place of its own
# in the unique key, so that both can belong to the person who stays.
SETTLE_CLASHES = """
WITH clash AS (
    SELECT CASE WHEN
        (NOT (s.state IN ('sent', 'sending', 'unknown') OR s.maybe_sent),
            s.created_at, s.id)
        <= (NOT (t.state IN ('sent', 'sending', 'unknown') OR t.maybe_sent),
            t.created_at, t.id)
        THEN t.id ELSE s.id END AS id
    FROM notifications_delivery s JOIN notifications_delivery t
        ON t.source_kind = s.source_kind AND t.source_id = s.source_id
        AND t.occurrence = s.occurrence AND t.contact_id = %(target)s
    WHERE s.contact_id = %(source)s
)
UPDATE notifications_delivery d
SET occurrence = 'merged:' || d.id,
    state = CASE WHEN NOT o.waits THEN d.state
        WHEN d.maybe_sent THEN 'unknown' ELSE 'cancelled' END,
    reason = CASE WHEN o.waits AND NOT d.maybe_sent THEN 'merged' ELSE d.reason END,
    finished_at = CASE WHEN o.waits THEN clock_timestamp() ELSE d.finished_at END,
    lease = CASE WHEN o.waits THEN NULL ELSE d.lease END,
    lease_until = CASE WHEN o.waits THEN NULL ELSE d.lease_until END
FROM (SELECT n.id, n.occurrence, n.state, n.state IN ('pending', 'claimed') AS waits
      FROM notifications_delivery n JOIN clash USING (id)) o
WHERE d.id = o.id
RETURNING d.id::text, o.occurrence, o.state
"""

# A claimed row was routed for the one who goes: it is taken back, and once more.
MOVE = """
UPDATE notifications_delivery SET contact_id = %(target)s,
    state = CASE WHEN state = 'claimed' THEN 'pending' ELSE state END,
    lease = CASE WHEN state = 'claimed' THEN NULL ELSE lease END,
    lease_until = CASE WHEN state = 'claimed' THEN NULL ELSE lease_until END
WHERE contact_id = %(source)s
RETURNING id::text
"""
# What was moved goes back, and the place in the key that a clash took away. What
# was cancelled as the second of two stays cancelled: an end is final.
GIVE_BACK = """
UPDATE notifications_delivery SET contact_id = %(source)s,
    state = CASE WHEN state = 'claimed' THEN 'pending' ELSE state END,
    lease = CASE WHEN state = 'claimed' THEN NULL ELSE lease END,
    lease_until = CASE WHEN state = 'claimed' THEN NULL ELSE lease_until END
WHERE contact_id = %(target)s AND id = ANY(%(ids)s::uuid[])
RETURNING id::text
"""
GIVE_PLACE_BACK = """
UPDATE notifications_delivery d SET occurrence = %(occurrence)s
WHERE d.id = %(id)s::uuid AND d.occurrence = 'merged:' || d.id AND NOT EXISTS (
    SELECT 1 FROM notifications_delivery o
    WHERE o.source_kind = d.source_kind AND o.source_id = d.source_id
      AND o.occurrence = %(occurrence)s AND o.contact_id = d.contact_id)
"""
# Found again through their message.
PARTS = (Attempt, RenderedMessage, Engagement, Conversion)


class MessageHolder:
    """Everything that a message leaves behind about a contact."""

    models: Sequence[str] = (
        "notifications.delivery",
        "notifications.attempt",
        "notifications.apisend",
        "notifications.renderedmessage",
        "notifications.engagement",
        "notifications.conversion",
    )
    derived: Sequence[str] = ()

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        """Everything moves; what belongs to a message is found again through it."""
        both = {"source": source_id, "target": target_id}
        clashes = fetch_rows(SETTLE_CLASHES, both)
        moved = [row["id"] for row in fetch_rows(MOVE, both)]
        for model in PARTS:
            model._default_manager.filter(contact_id=source_id).update(
                contact_id=target_id
            )
        return {"deliveries": moved, "clashes": clashes}

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        """Messages go back with all that came of them, also since the merge."""
        ids = journal["deliveries"]
        both = {"source": source_id, "target": target_id}
        moved = [row["id"] for row in fetch_rows(GIVE_BACK, {**both, "ids": ids})]
        for model in PARTS:
            rows = model._default_manager.filter(delivery_id__in=moved)
            rows.update(contact_id=source_id)
        with connection.cursor() as cursor:
            for clash in journal["clashes"]:
                place = {"id": clash["id"], "occurrence": clash["occurrence"]}
                cursor.execute(GIVE_PLACE_BACK, place)

    def count(self, contact_id: int) -> Mapping[str, int]:
        mine = Delivery.objects.filter(contact_id=contact_id)
        return {"messages": mine.count()}

    def export(self, contact_id: int) -> Mapping[str, Any]:
        texts = dict(
            RenderedMessage.objects.filter(contact_id=contact_id)
            .order_by("created_at")
            .values_list("delivery_id", "fields")
        )
        rows = (
            Delivery.objects.for_contact(contact_id)
            .select_related("api_send")
            .prefetch_related("engagements", "conversions")
        )
        return {
            "messages": [
                export_message(row, texts.get(row.pk))
                for row in rows.iterator(chunk_size=500)
            ]
        }

    def erase(self, contact_id: int) -> Mapping[str, int]:
        """What waits is cancelled; counts stay in the reports, without a person."""
        mine = Delivery.objects.filter(contact_id=contact_id)
        _end_waiting(mine.filter(state__in=WAITING))
        unnamed = mine.update(
            detail="",
            locale="",
            due_local="",
            due_zone="",
            trigger_event_id=None,
            trigger_event_at=None,
        )
        of_contact = {"contact_id": contact_id}
        return {
            "notifications.delivery": unnamed,
            "notifications.attempt": Attempt.objects.filter(**of_contact).update(
                device=None, detail="", provider_id=""
            ),
            "notifications.apisend": ApiSend.objects.filter(
                delivery__contact_id=contact_id
            ).delete()[0],
            "notifications.renderedmessage": _delete_texts(contact_id),
            "notifications.engagement": Engagement.objects.filter(
                **of_contact
            ).delete()[0],
        }


def _end_waiting(waiting: QuerySet[Delivery]) -> None:
    ended = {"finished_at": timezone.now(), "lease": None, "lease_until": None}
    waiting.filter(maybe_sent=True).update(state=Delivery.State.UNKNOWN, **ended)
    waiting.filter(maybe_sent=False).update(
        state=Delivery.State.CANCELLED, reason=Reason.PROFILE_ERASED, **ended
    )


def _delete_texts(contact_id: int) -> int:
    # The partitioned table's own key is (created_at, delivery_id): Django would
    # collect ids first; one statement does.
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM notifications_renderedmessage WHERE contact_id = %s",
            [contact_id],
        )
        return cursor.rowcount


def export_message(row: Delivery, text: Mapping[str, Any] | None) -> dict[str, Any]:
    """One message as its person may read it."""
    return {
        "channel": row.channel,
        "campaign": row.campaign.name if row.campaign else "",
        "state": row.state,
        "reason": row.reason,
        "planned_at": _show_time(row.created_at),
        "sent_at": _show_time(row.sent_at),
        "text": text,
        "data": row.said_by_api.data if row.said_by_api else None,
        "reports": [
            {"kind": report.kind, "at": _show_time(report.at), "button": report.button}
            for report in row.engagements.all()
        ],
        "conversions": [
            {
                "at": _show_time(goal.event_at),
                "value": None if goal.value is None else str(goal.value),
                "currency": goal.currency,
            }
            for goal in row.conversions.all()
        ],
    }


def _show_time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
