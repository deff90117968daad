"""Orders: what shop events said of each, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import models
from django.db.models import Count, F, Q

from crm.models.contact import Contact

# An id of an order or a subscription.
MAX_NUMBER = 255


class EntryQuerySet(models.QuerySet[Any]):
    def of_pairs(self, pairs: Iterable[tuple[int, str]]) -> Self:
        """Of these (contact, number), and maybe of some beside them."""
        wanted = set(pairs)
        return self.filter(
            contact__in={contact for contact, _ in wanted},
            number__in={number for _, number in wanted},
        )

    def oldest_first(self) -> Self:
        return self.order_by("at", "pk")

    def newest(self, count: int) -> list[Any]:
        """So many at most, oldest first."""
        return list(self.order_by("-at", "-pk")[:count])[::-1]

    def summarise(
        self, message_ids: Iterable[str]
    ) -> dict[tuple[int, str], tuple[int, list[str]]]:
        """How many there are of each (contact, number), and which of these messages
        are among them."""
        wanted = Q(message_id__in=set(message_ids))
        rows = self.order_by().values_list("contact_id", "number")
        return {
            (contact, number): (count, found)
            for contact, number, count, found in rows.annotate(
                kept=Count("pk"),
                known=ArrayAgg("message_id", filter=wanted, default=[]),
            )
        }


class Entry(models.Model):
    """What one event said. Never changed; only a merge and its undo move `contact`."""

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    number = models.CharField(max_length=MAX_NUMBER)
    at = models.DateTimeField()
    # Id, not a key: nothing points at the event table.
    event_id = models.UUIDField()
    message_id = models.CharField(max_length=100)
    # As the event's: the contact it came to, where a merge gave it to another.
    origin_id = models.BigIntegerField(null=True, editable=False)

    objects = EntryQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.number} {self.at:%Y-%m-%d %H:%M}"


class OrderEntry(Entry):
    """One word about an order; those of kind `refunded` are its refunds."""

    class Kind(models.TextChoices):
        PLACED = "placed"
        UPDATED = "updated"
        REFUNDED = "refunded"
        CANCELLED = "cancelled"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    # Null where the event named none; a refund of null is of all that is left.
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    # What the shop calls this refund: told twice, it counts once.
    refund_id = models.CharField(max_length=MAX_NUMBER, blank=True)
    # Product lines of a refund: code, quantity, price.
    lines = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            # Also the way from a conversion's event to its order.
            models.UniqueConstraint(
                fields=["event_id"], name="orderentry_once_an_event"
            ),
        ]
        indexes = [
            # purchases.keeping: all that was said of an order
            models.Index(fields=["contact", "number"], name="orderentry_of_order"),
        ]


class OrderQuerySet(models.QuerySet["Order"]):
    def placed(self) -> Self:
        return self.exclude(placed_at=None)

    def in_state(self, state: str) -> Self:
        """All where it is empty."""
        return self.filter(state=state) if state else self

    def doubtful(self) -> Self:
        """Whose refunds do not fit the order; reads the partial index."""
        rows = self.filter(Q(excess__gt=0) | Q(is_mixed=True))
        return rows.select_related("contact").order_by("-last_at")

    def for_contact(self, contact_id: int) -> Self:
        """Newest first."""
        return self.filter(contact=contact_id).order_by("-last_at", "-pk")

    def of_external_id(self, external_id: str) -> Self:
        """All where it is empty; a merged contact's id leads to who it became."""
        rows = self.select_related("contact").order_by("-pk")
        if not external_id:
            return rows
        return rows.filter(
            contact__identifiers__kind="external_id",
            contact__identifiers__value=external_id,
        )


class Order(models.Model):
    """What an order comes to; net = gross - refunded, and nothing where cancelled.

    Folded from its entries by `crm.purchases`, and by nothing else. Money is in major
    units of `currency` ('' where never told).
    """

    class State(models.TextChoices):
        AWAITED = "awaited", "not placed yet"
        PAID = "paid"
        PARTIALLY_REFUNDED = "partially_refunded"
        REFUNDED = "refunded"
        CANCELLED = "cancelled"

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="orders")
    number = models.CharField(max_length=MAX_NUMBER)
    state = models.CharField(max_length=20, choices=State.choices)
    # Null until the order itself was told of.
    placed_at = models.DateTimeField(null=True)
    gross = models.DecimalField(max_digits=20, decimal_places=4)
    refunded = models.DecimalField(max_digits=20, decimal_places=4)
    net = models.DecimalField(max_digits=20, decimal_places=4)
    currency = models.CharField(max_length=3, blank=True)
    # What refunds took beyond the order; it counts for nothing.
    excess = models.DecimalField(max_digits=20, decimal_places=4)
    # A refund came in another currency; it counts for nothing.
    is_mixed = models.BooleanField(default=False)
    last_at = models.DateTimeField()

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "number"], name="order_once_a_contact"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("gross")),
                name="order_refunded_within_gross",
            ),
            models.CheckConstraint(
                condition=Q(net__gte=0, net__lte=F("gross") - F("refunded")),
                name="order_net_within_gross",
            ),
        ]
        indexes = [
            # segments: totals of a contact; the contact's page
            models.Index(
                fields=["contact", "placed_at"],
                include=["net", "gross", "refunded", "currency", "state"],
                name="order_of_contact",
            ),
            # data quality: refunds that do not fit
            models.Index(
                fields=["-last_at"],
                name="order_doubtful",
                condition=Q(excess__gt=0) | Q(is_mixed=True),
            ),
        ]

    def __str__(self) -> str:
        return self.number
