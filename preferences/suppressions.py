"""Stop and release addresses: bounces, complaints, staff. No wish of a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from crm.models import Contact, PendingEvent
from crm.models.audit import record_audit
from crm.models.ids import make_uuid7
from preferences.models import Suppression

# The name of the pending row that a stop, and its end, leave for segments.
SUPPRESSION_CHANGED = "$suppression"


def name_actor(actor: Any) -> str:
    """A user's stable mark, or the name as given."""
    return f"staff:{actor.pk}" if hasattr(actor, "get_username") else str(actor)


@transaction.atomic
def suppress_contact(
    contact: Contact,
    *,
    channel: str,
    reason: str,
    at: datetime,
    actor: Any,
    note: str = "",
) -> Suppression:
    """Stop a channel ('' = all) for this contact; the same twice is one row."""
    Contact.objects.lock_in_order([contact.pk])
    row, is_new = Suppression.objects.live().get_or_create(
        contact=contact,
        channel=channel,
        reason=Suppression.Reason(reason),
        defaults={"at": at, "actor": name_actor(actor), "note": note[:200]},
    )
    if is_new:
        leave_pending(contact.pk, at=at)
        changes = {"channel": channel or "all", "reason": reason}
        record_audit(
            actor=actor, action="suppressed", on=row, changes=changes, reason=note
        )
    return row


@transaction.atomic
def lift_suppression(
    suppression: Suppression, *, at: datetime, actor: Any, reason: str = ""
) -> bool:
    """Release it; answers False where it was lifted before."""
    Contact.objects.lock_in_order([suppression.contact_id])
    row = Suppression.objects.live().filter(pk=suppression.pk)
    if not row.update(lifted_at=max(at, suppression.at), lifted_by=name_actor(actor)):
        return False
    suppression.refresh_from_db()
    leave_pending(suppression.contact_id, at=at)
    record_audit(actor=actor, action="lifted", on=suppression, reason=reason)
    return True


def leave_pending(contact_id: int, *, at: datetime) -> None:
    """So that segments that ask who can be reached look again."""
    PendingEvent.objects.create(
        event_id=make_uuid7(),
        occurred_at=at,
        contact_id=contact_id,
        name=SUPPRESSION_CHANGED,
    )
