"""Outcomes of a page of campaigns: three counts each, in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from notifications.models import Delivery


@dataclass(frozen=True, slots=True)
class Outcome:
    """Messages of one campaign; test sends count for nothing."""

    sent: int = 0
    opened: int = 0
    converted: int = 0


def count_outcomes(campaign_ids: Sequence[int]) -> dict[int, Outcome]:
    """Campaigns without a sent message are left out."""
    rows = (
        Delivery.objects.filter(campaign__in=campaign_ids, state=Delivery.State.SENT)
        .exclude(source_kind=Delivery.SourceKind.TEST)
        .values_list("campaign")
        .annotate(
            sent=Count("pk"),
            opened=Count("opened_at"),
            converted=Count("converted_at"),
        )
    )
    return {pk: Outcome(*counts) for pk, *counts in rows}
