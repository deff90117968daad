"""Quarantine: rows that stopped a worker three times wait for a human's word."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from crm.clock import read_clock
from crm.models.audit import record_audit
from notifications.models import Delivery


def retry_quarantined(ids: Iterable[uuid.UUID], *, by: Any) -> int:
    """Back to pending with a clean count; answers how many there were."""
    with transaction.atomic():
        rows = _lock_quarantined(ids)
        for row in rows:
            row.state, row.reason, row.detail = Delivery.State.PENDING, "", ""
            row.claims, row.finished_at = 0, None
            row.lease = row.lease_until = None
            row.save()
            record_audit(actor=by, action="retried", on=row)
    return len(rows)


def drop_quarantined(ids: Iterable[uuid.UUID], *, by: Any) -> int:
    """Never send them: cancelled, or unknown where an earlier POST may have arrived.

    The only way out of quarantine is pending, so the row passes through it.
    """
    at = read_clock()
    with transaction.atomic():
        rows = _lock_quarantined(ids)
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=Delivery.State.PENDING
        )
        for row in rows:
            if row.maybe_sent:
                row.state, row.reason = Delivery.State.UNKNOWN, ""
            else:
                row.state, row.reason = Delivery.State.CANCELLED, "paused"
            row.detail = "Dropped from quarantine by staff."
            row.finished_at = at
            row.lease = row.lease_until = None
            row.save()
            record_audit(actor=by, action="dropped", on=row)
    return len(rows)


def _lock_quarantined(ids: Iterable[uuid.UUID]) -> list[Delivery]:
    rows = Delivery.objects.quarantined().filter(pk__in=list(ids)).order_by("pk")
    return list(rows.select_for_update())
