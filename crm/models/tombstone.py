"""What is left of an erased person: that they are not to come back by accident."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

from crm.models.contact import Contact


class TombstoneQuerySet(models.QuerySet["Tombstone"]):
    def one_for_each(self) -> Self:
        """The first row of each erased person; reads the index on the contact."""
        earlier = Tombstone.objects.filter(
            contact=OuterRef("contact"), pk__lt=OuterRef("pk")
        )
        return self.filter(~Exists(earlier))


class Tombstone(models.Model):
    """One identifier of somebody who was erased, as a keyed hash: nobody can read it
    back, and without the deployment's key nobody can ask for one either."""

    # HMAC-SHA-256 of the identifier; `crm.events.tombstones` makes it.
    mark = models.BinaryField(max_length=32, unique=True, editable=False)
    # The row that erasure emptied; it holds nothing of the person.
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="tombstones")
    laid_at = models.DateTimeField(default=timezone.now)

    objects = TombstoneQuerySet.as_manager()

    class Meta:
        verbose_name = "erased person"
        verbose_name_plural = "erased people"

    def __str__(self) -> str:
        return f"Erased person {self.contact_id}"
