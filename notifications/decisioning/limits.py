"""Limits: staff set caps and quiet hours; each change leaves an audit row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from crm.models.audit import record_audit
from notifications.models import FrequencyCap, QuietHours


def save_limit(
    limit: FrequencyCap | QuietHours, *, by: Any, changed: Iterable[str]
) -> None:
    """Raises ValidationError where a value makes no limit; obeyed by the next gate."""
    created = limit.pk is None
    limit.full_clean()
    with transaction.atomic():
        limit.save()
        record_audit(
            actor=by,
            action="created" if created else "edited",
            on=limit,
            changes={name: str(getattr(limit, name)) for name in changed},
        )


def remove_limit(limit: FrequencyCap | QuietHours, *, by: Any) -> None:
    with transaction.atomic():
        record_audit(actor=by, action="deleted", on=limit)
        limit.delete()
