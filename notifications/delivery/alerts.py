"""Alerts: staff say that a fault is dealt with."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from crm.clock import read_clock
from crm.models.audit import record_audit
from notifications.models import Alert


def resolve_alert(alert: Alert, *, by: Any) -> bool:
    """False where it was settled before; the same cause may raise a new one."""
    with transaction.atomic():
        settled = (
            Alert.objects.open().filter(pk=alert.pk).update(resolved_at=read_clock())
        )
        if settled:
            record_audit(actor=by, action="resolved", on=alert)
    return bool(settled)
