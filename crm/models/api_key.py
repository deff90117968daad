"""API keys: hashed, scoped, shown once."""

from __future__ import annotations

import hashlib
import secrets
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


def hash_key(key: str) -> str:
    """SHA-256 of a key; enough, because keys carry 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self) -> Self:
        return self.filter(revoked_at=None)

    def matching(self, key: str) -> ApiKey | None:
        """The live key with this secret, or None."""
        return self.live().filter(key_hash=hash_key(key)).first()


class ApiKey(models.Model):
    """A credential of an integrator. Only its hash and first letters are kept."""

    class Scope(models.TextChoices):
        TRACK = "track", "Track: send events and profiles"
        SEND = "send", "Send: trigger messages"
        READ = "read", "Read: contacts, segments, reports"
        ADMIN = "admin", "Admin: everything"

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__len__gt=0), name="apikey_has_a_scope"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or self.Scope.ADMIN in self.scopes

    @classmethod
    def issue(
        cls, *, name: str, scopes: list[str], created_by: User | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; the secret is returned here and never again."""
        secret = f"apr_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            name=name,
            scopes=scopes,
            created_by=created_by,
            prefix=secret[:10],
            key_hash=hash_key(secret),
        )
        return row, secret
