"""Fixes of data: what is done to events of a kind from now on, and undone again."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.quality import PropertyKind

Value = PropertyKind.Kind


class DataFixQuerySet(models.QuerySet["DataFix"]):
    def standing(self) -> Self:
        """Applied and not undone: what ingest obeys, in the order of applying."""
        return self.filter(applied_at__isnull=False, undone_at=None).order_by(
            "applied_at", "pk"
        )

    def newest_first(self) -> Self:
        return self.select_related("made_by", "applied_by", "undone_by").order_by("-pk")


class DataFix(models.Model):
    """One rule for events to come. Those that came keep what they say.

    A draft has an effect once it is applied; undone it stays, as history.
    """

    class Kind(models.TextChoices):
        RENAME = "rename", "Rename the event"
        IGNORE = "ignore", "Ignore a property"
        COERCE = "coerce", "Change a property's type"
        BLOCK = "block", "Block the event"

    class State(models.TextChoices):
        DRAFT = "draft"
        APPLIED = "applied"
        UNDONE = "undone"

    # What a value can be made into.
    TYPES = (Value.TEXT, Value.NUMBER, Value.YES_NO, Value.LIST)

    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField("event", max_length=200)
    key = models.CharField("property", max_length=200, blank=True)
    # The new name, or the type.
    target = models.CharField("into", max_length=200, blank=True)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    applied_at = models.DateTimeField(null=True, blank=True)
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = DataFixQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "data fixes"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name", "key"],
                condition=Q(applied_at__isnull=False, undone_at=None),
                name="datafix_stands_once",
            ),
            models.CheckConstraint(
                condition=Q(undone_at=None) | Q(applied_at__isnull=False),
                name="datafix_undone_after_applied",
            ),
        ]

    def __str__(self) -> str:
        if self.kind == self.Kind.RENAME:
            return f"{self.name} becomes {self.target}"
        if self.kind == self.Kind.BLOCK:
            return f"{self.name} is refused"
        if self.kind == self.Kind.IGNORE:
            return f"{self.key} of {self.name} is left out"
        kind = dict(Value.choices).get(self.target, self.target)
        return f"{self.key} of {self.name} becomes {str(kind).lower()}"

    @property
    def state(self) -> str:
        if self.undone_at:
            return self.State.UNDONE
        return self.State.APPLIED if self.applied_at else self.State.DRAFT

    def clean(self) -> None:
        """Each kind has its own columns; the others are emptied."""
        if self.name.startswith("$"):
            raise ValidationError({"name": "Names with $ are the product's own."})
        if self.kind in (self.Kind.RENAME, self.Kind.BLOCK):
            self.key = ""
        elif not self.key:
            raise ValidationError({"key": "Name the property."})
        if self.kind in (self.Kind.IGNORE, self.Kind.BLOCK):
            self.target = ""
        if self.kind == self.Kind.RENAME:
            self._check_new_name()
        if self.kind == self.Kind.COERCE and self.target not in self.TYPES:
            types = ", ".join(self.TYPES)
            raise ValidationError({"target": f"One of {types}."})

    def _check_new_name(self) -> None:
        self.target = self.target.strip()
        if not self.target or self.target == self.name:
            raise ValidationError({"target": "Say another name."})
        if self.target.startswith("$"):
            raise ValidationError({"target": "Names with $ are the product's own."})
