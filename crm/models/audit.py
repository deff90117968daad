"""The one append-only trail of who changed what, when and why.

A database trigger refuses UPDATE and DELETE (see the first migration).
"""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def about(self, kind: str, object_id: str) -> Self:
        """The history of one object; of every kind with this id where none is said."""
        found = self.filter(object_id=object_id)
        return found.filter(object_type=kind) if kind else found


class AuditEntry(models.Model):
    """One deed. `actor` is null where the machine acted by rule."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, db_constraint=False
    )
    # Who acted where it was no member of staff: "api:<prefix>", "rule", "self".
    actor_name = models.CharField(max_length=150)
    # verb in the past: "launched", "paused", "merged", "edited"
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=300, blank=True)
    changes = models.JSONField(default=dict)
    reason = models.TextField(blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            # admin: the history of one object
            models.Index(
                fields=["object_type", "object_id", "-at"], name="audit_of_object"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_name}"


def name_actor(actor: Any) -> str:
    """A user's name, or the name as given; "rule" where nobody acted."""
    is_user = isinstance(actor, models.Model)
    return actor.get_username() if is_user else str(actor or "rule")


def record_audit(
    *,
    actor: Any,
    action: str,
    on: models.Model,
    changes: dict[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one deed; call it inside the transaction of the deed itself.

    `actor` is a user, or a name such as "rule" or "api:apr_12ab".
    """
    is_user = isinstance(actor, models.Model)
    return AuditEntry.objects.create(
        actor=actor if is_user else None,
        actor_name=name_actor(actor),
        action=action,
        object_type=on._meta.label_lower,
        object_id=str(on.pk),
        object_name=str(on)[:300],
        changes=changes or {},
        reason=reason,
    )
