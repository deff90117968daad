"""That items moved at all: what segments that ask about items follow.

A count in the row that every writer of items holds anyway, so that it commits with
them. What events alone tell of a product is not counted: see `crm.catalog.learning`.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Max

from crm.models import Catalog


def note_move(catalog: Catalog) -> None:
    """In the transaction that changes items, the catalog locked."""
    Catalog.objects.filter(pk=catalog.pk).update(moves=F("moves") + 1)


def see_moves(at: datetime) -> datetime | None:
    """When a move was seen last, `at` where there is a new one; None before any.

    Whoever looks at items from `at` on sees what moved: it was committed before.
    """
    Catalog.objects.exclude(moves=F("seen_moves")).update(
        seen_moves=F("moves"), moved_at=at
    )
    return Catalog.objects.aggregate(newest=Max("moved_at"))["newest"]
