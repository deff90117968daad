"""Traits that follow from events: their definitions, and what time will change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.contact import Contact

KEY_PATTERN: Final = r"^[a-z][a-z0-9_]*$"
KEY_HINT = "Small letters, digits and underscores; it begins with a letter."


class ComputedTraitQuerySet(models.QuerySet["ComputedTrait"]):
    def kept_live(self) -> Self:
        """Those that events move, the ones being built included: a build may have
        looked at a person before the event was there."""
        state = ComputedTrait.State
        return self.filter(state__in=[state.BUILDING, state.LIVE]).order_by("pk")

    def moved_by(self, names: Iterable[str]) -> Self:
        """Live ones that an event of one of these names may move."""
        return self.kept_live().filter(event_names__overlap=list(names))

    def reading_traits(self) -> Self:
        """Live ones made of another trait."""
        return self.kept_live().exclude(trait_names=[])

    def unfinished(self) -> Self:
        """Waiting for a build, or to be taken off the contacts."""
        return self.filter(state__in=ComputedTrait.UNFINISHED).order_by("pk")

    def next_piece(self) -> ComputedTrait | None:
        """The next unfinished one that no other worker has in hand, locked."""
        rows = self.unfinished().select_for_update(skip_locked=True, no_key=True)
        return rows.first()


class ComputedTrait(models.Model):
    """One value of each contact, defined by staff, computed from events.

    The row is live: `spec` is what `crm.computed.definition` reads, `version` counts
    its edits. Values stand in `Contact.computed` under `key`.
    """

    class State(models.TextChoices):
        BUILDING = "building", "being built"
        LIVE = "live", "live"
        CLEARING = "clearing", "being switched off"
        OFF = "off", "off"
        LEAVING = "leaving", "being deleted"

    UNFINISHED = (State.BUILDING, State.CLEARING, State.LEAVING)

    # Named by segments and templates, so it never changes.
    key = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(KEY_PATTERN, KEY_HINT)],
        help_text="The name in templates, as in {{ customer.favourite_category }}, and "
        f"in segments. {KEY_HINT} It stays as it is.",
    )
    label = models.CharField(max_length=100, help_text="What staff read.")
    purpose = models.TextField(
        blank=True, max_length=500, help_text="What it is for, in one sentence."
    )
    spec = models.JSONField()
    # The definition in plain English, as it read when it was saved.
    summary = models.TextField(editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    event_names = ArrayField(models.TextField(), default=list, editable=False)
    trait_names = ArrayField(models.TextField(), default=list, editable=False)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.BUILDING, editable=False
    )
    # A build goes through the contacts by id: the last one done, and the last one
    # there was when it began.
    done_to = models.BigIntegerField(default=0, editable=False)
    goal = models.BigIntegerField(default=0, editable=False)
    built_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ComputedTraitQuerySet.as_manager()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                condition=Q(key__regex=KEY_PATTERN), name="computedtrait_key_is_a_name"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["building", "live", "clearing", "off", "leaving"]
                ),
                name="computedtrait_state_known",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_on(self) -> bool:
        return self.state in (self.State.BUILDING, self.State.LIVE)

    @property
    def progress_pct(self) -> int:
        """How far the build is, by contact ids."""
        if self.state not in self.UNFINISHED:
            return 100
        return min(99, self.done_to * 100 // self.goal) if self.goal else 0

    def begin(self, state: str, *, goal: int) -> None:
        """Go through all contacts from the first, to build or to clear."""
        self.state, self.done_to, self.goal = state, 0, goal
        self.updated_at = timezone.now()

    def finish(self, *, at: datetime) -> None:
        """A build or a clearing has seen every contact; a leaving one goes."""
        if self.state == self.State.LEAVING:
            self.delete()
            return
        built = self.state == self.State.BUILDING
        self.state = self.State.LIVE if built else self.State.OFF
        self.built_at = at if built else None
        self.save(update_fields=["state", "built_at"])

    def note_progress(self, contact_id: int) -> None:
        self.done_to = contact_id
        self.save(update_fields=["done_to"])


class ComputedClock(models.Model):
    """When time alone may change a contact's value: an event leaves the window.

    Never later than the true moment, sometimes earlier (`crm.wakes`).
    """

    trait = models.ForeignKey(
        ComputedTrait,
        models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="clocks",
    )
    contact = models.ForeignKey(
        Contact, models.CASCADE, db_constraint=False, related_name="+"
    )
    next_change_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["trait", "contact"], name="computedclock_once"
            ),
        ]
        indexes = [
            # crm.computed.values: who is due, oldest first
            models.Index(fields=["next_change_at"], name="computedclock_due"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id} at {self.next_change_at:%Y-%m-%d %H:%M:%S}"
