"""Building and clearing computed traits, a piece of the contacts at a time.

Old values serve until a piece has new ones. Each piece is a transaction that holds
the definition's row, so that an edit begins anew and two workers never meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crm.computed.definition import has_lookup
from crm.computed.values import Moved, clear, compute, load_definition
from crm.models import ComputedClock, ComputedTrait, Contact

# Contacts of one piece: events and pages wait for their locks no longer than that.
PIECE: Final = 2_000
# What follows from a catalog too is computed anew this often, for no event tells of
# an item that changed.
RECHECK_AFTER: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one step did; `trait` None where there was nothing to do."""

    trait: ComputedTrait | None
    moved: Moved


def build_piece(*, at: datetime, size: int = PIECE) -> Piece:
    """The next contacts of the next unfinished trait, in the caller's transaction."""
    trait = ComputedTrait.objects.next_piece()
    if trait is None:
        return Piece(None, {})
    found = Contact.objects.filter(pk__gt=trait.done_to).order_by("pk")
    ids = list(found.values_list("pk", flat=True)[:size])
    if not ids:
        trait.finish(at=at)
        return Piece(trait, {})
    Contact.objects.lock_in_order(ids)
    # Clocks of the older definition would only cost looks.
    ComputedClock.objects.filter(trait=trait, contact__in=ids).delete()
    if trait.state == ComputedTrait.State.BUILDING:
        moved = compute([trait], {trait.pk: ids}, at=at)
    else:
        moved = clear(trait, ids, at=at)
    trait.note_progress(ids[-1])
    return Piece(trait, moved)


def recheck_lookups(at: datetime) -> int:
    """Have those built anew that look into catalogs, once a day."""
    old = ComputedTrait.objects.filter(
        state=ComputedTrait.State.LIVE, built_at__lt=at - RECHECK_AFTER
    )
    ids = [trait.pk for trait in old if has_lookup(load_definition(trait))]
    # The state once more: an edit may have come between.
    return old.filter(pk__in=ids).update(state=ComputedTrait.State.BUILDING, done_to=0)
