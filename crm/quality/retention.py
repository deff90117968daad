"""What the data quality page reads is kept for as long as it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crm.models import CountedDay, EventDay, PropertyKind, RejectedItem
from crm.models.quality import KEEP_DAYS


def forget_findings(*, now: datetime) -> int:
    """Delete counts, kinds and refusals that no page reads any more; how many."""
    today = now.astimezone(UTC).date()
    last = today - timedelta(days=KEEP_DAYS)
    gone = (
        EventDay.objects.filter(counted_on__lte=last),
        CountedDay.objects.filter(counted_on__lte=last),
        PropertyKind.objects.unseen(now),
        RejectedItem.objects.too_old(today),
    )
    return sum(rows.delete()[0] for rows in gone)
