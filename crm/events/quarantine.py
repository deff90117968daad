"""Pending events that need a human: try again, or let go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from crm.models import PendingEvent
from crm.models.audit import record_audit


@transaction.atomic
def retry_pending(rows: Iterable[PendingEvent], *, actor: Any) -> int:
    """Give quarantined rows three new tries; answers how many."""
    return sum(retry_one(row, actor) for row in rows)


def retry_one(row: PendingEvent, actor: Any) -> bool:
    quarantined = PendingEvent.objects.filter(pk=row.pk, quarantined_at__isnull=False)
    if not quarantined.update(attempts=0, quarantined_at=None, lease_until=None):
        return False
    record_audit(actor=actor, action="retried", on=row, changes={"was": row.last_error})
    return True


@transaction.atomic
def drop_pending(rows: Iterable[PendingEvent], *, actor: Any) -> int:
    """Remove quarantined rows: their events stay, their effects never come."""
    return sum(drop_one(row, actor) for row in rows)


def drop_one(row: PendingEvent, actor: Any) -> bool:
    quarantined = PendingEvent.objects.filter(pk=row.pk, quarantined_at__isnull=False)
    # The deed is written first: its object is still there to be named.
    if not quarantined.select_for_update().exists():
        return False
    record_audit(
        actor=actor, action="dropped", on=row, changes={"error": row.last_error}
    )
    quarantined.delete()
    return True
