"""Events of before purchases were kept, or that lost their entries: kept now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from crm.models import Contact, Event
from crm.purchases.keeping import EVENTS, keep_told, read_told

CHUNK: Final = 1_000


@dataclass(frozen=True, slots=True)
class Old:
    event_id: uuid.UUID
    occurred_at: datetime
    name: str
    contact_id: int


def keep_old_purchases() -> int:
    """Keep what all events say; answers how many entries are new.

    Safe to run at any time and again: what is known adds nothing. A transaction for
    each thousand events, with their contacts locked. Segments are judged when their
    people do something next, or are refreshed.
    """
    return sum(keep_chunk(chunk) for name in sorted(EVENTS) for chunk in read_old(name))


def read_old(name: str) -> Iterator[list[Old]]:
    """Events of this name, oldest first, in chunks; a query each."""
    last: tuple[datetime, uuid.UUID] | None = None
    while True:
        rows = Event.objects.filter(name=name)
        if last is not None:
            rows = rows.after(*last)
        found = [
            Old(pk, at, name, contact)
            for pk, at, contact in rows.order_by("occurred_at", "id").values_list(
                "id", "occurred_at", "contact_id"
            )[:CHUNK]
        ]
        if not found:
            return
        yield found
        last = found[-1].occurred_at, found[-1].event_id


def keep_chunk(chunk: Sequence[Old]) -> int:
    kept, rest = 0, chunk
    while rest:
        new, rest = keep_locked(rest)
        kept += new
    return kept


@transaction.atomic
def keep_locked(chunk: Sequence[Old]) -> tuple[int, list[Old]]:
    """How many entries are new, and the events that a merge gave to somebody else
    before we had the lock: theirs is to be taken first."""
    ids = {one.contact_id for one in chunk}
    Contact.objects.lock_in_order(sorted(ids))
    told = read_told(chunk)
    return keep_told([one for one in told if one.contact_id in ids]), [
        Old(one.event_id, one.at, one.name, one.contact_id)
        for one in told
        if one.contact_id not in ids
    ]
