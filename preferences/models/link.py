"""Signed links: which of them still hold, and who is guessing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F

from crm.models import Contact

# How long a window of guesses is remembered.
GUESS_MEMORY_DAYS = 1


class PreferenceLinkQuerySet(models.QuerySet["PreferenceLink"]):
    def version_of(self, contact_id: int) -> int:
        """0 where no link of this contact was ever revoked."""
        row = self.filter(contact_id=contact_id).values_list("version", flat=True)
        return row.first() or 0

    def revoke(self, contact_id: int) -> int:
        """Every link made so far stops working; answers the new version."""
        row, _ = self.get_or_create(contact_id=contact_id)
        self.filter(pk=row.pk).update(version=F("version") + 1)
        return self.version_of(contact_id)


class PreferenceLink(models.Model):
    """The version that a contact's signed links must carry."""

    contact = models.OneToOneField(
        Contact, models.CASCADE, related_name="preference_link"
    )
    version = models.PositiveIntegerField(default=0)

    objects = PreferenceLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"links of contact {self.contact_id}: version {self.version}"


class LinkGuessQuerySet(models.QuerySet["LinkGuess"]):
    def count_guess(self, address: str, *, at: datetime) -> int:
        """Count one wrong token from this network; answers this hour's total."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        row, is_first = self.get_or_create(address=address, hour=hour)
        self.filter(pk=row.pk).update(count=F("count") + 1)
        if is_first:
            self.filter(hour__lt=at - timedelta(days=GUESS_MEMORY_DAYS)).delete()
        return self.filter(pk=row.pk).values_list("count", flat=True).get()


class LinkGuess(models.Model):
    """Wrong tokens per address and hour, shared by all web processes."""

    address = models.CharField(max_length=50)
    hour = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    objects = LinkGuessQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["address", "hour"], name="guess_one_per_hour"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} {self.hour:%Y-%m-%d %H}h: {self.count}"
