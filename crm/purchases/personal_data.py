"""Port `personal_data`: purchases move with their contact, and go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F
from django.db.models.functions import Coalesce

from crm.models import Contact
from crm.purchases.books import BOOKS, Book, read_places, refold
from crm.purchases.export import export_orders, export_subscriptions


class PurchaseHolder:
    """Entries move as their events do, and the rows of both are folded anew.

    Stands before the holder of events: it notes who followed the source while they
    still do.
    """

    models: Sequence[str] = (
        "crm.order",
        "crm.orderentry",
        "crm.subscription",
        "crm.subscriptionentry",
    )
    derived: Sequence[str] = models

    def merge(self, *, source_id: int, target_id: int) -> Mapping[str, Any]:
        followers = Contact.objects.filter(canonical=source_id)
        journal = {"followers": list(followers.values_list("pk", flat=True))}
        for book in BOOKS:
            entries = book.entries.objects.filter(contact=source_id)
            numbers = list(entries.values_list("number", flat=True).distinct())
            origin = Coalesce(F("origin_id"), F("contact_id"))
            entries.update(contact=target_id, origin_id=origin)
            refold_both(book, source_id, target_id, numbers)
        return journal

    def undo_merge(
        self, *, source_id: int, target_id: int, journal: Mapping[str, Any]
    ) -> None:
        """What came by an identifier that goes back, goes back with it."""
        origins = [source_id, *journal.get("followers", [])]
        for book in BOOKS:
            entries = book.entries.objects.filter(
                contact=target_id, origin_id__in=origins
            )
            numbers = list(entries.values_list("number", flat=True).distinct())
            entries.update(contact=source_id)
            refold_both(book, source_id, target_id, numbers)

    def count(self, contact_id: int) -> Mapping[str, int]:
        return {
            book.words: book.rows._default_manager.filter(contact=contact_id).count()
            for book in BOOKS
        }

    def export(self, contact_id: int) -> Mapping[str, Any]:
        return {
            "orders": export_orders(contact_id),
            "subscriptions": export_subscriptions(contact_id),
        }

    def erase(self, contact_id: int) -> Mapping[str, int]:
        return {
            model._meta.label_lower: model._default_manager.filter(
                contact=contact_id
            ).delete()[0]
            for book in BOOKS
            for model in (book.rows, book.entries)
        }


def refold_both(book: Book, one: int, other: int, numbers: Sequence[str]) -> None:
    """What time told either of them, it told both."""
    pairs = [(contact, number) for contact in (one, other) for number in numbers]
    found = read_places(book, pairs)
    places = {}
    for pair in pairs:
        known = [found.get((contact, pair[1])) for contact in (one, other)]
        places[pair] = max((at for at in known if at is not None), default=None)
    refold(book, pairs, places=places)
