"""API keys: hashed, scoped, shown once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


def hash_key(key: str) -> str:
    """SHA-256 of a key; enough, because keys carry 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def make_secret() -> str:
    return f"apr_{secrets.token_urlsafe(32)}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def live(self, now: datetime) -> Self:
        """Neither revoked nor past its end."""
        lasting = models.Q(expires_at=None) | models.Q(expires_at__gt=now)
        return self.filter(lasting, revoked_at=None)

    def matching(self, key: str, now: datetime | None = None) -> ApiKey | None:
        """The live key with this secret, or with it until its rotation ends."""
        now, digest = now or timezone.now(), hash_key(key)
        replaced = models.Q(old_key_hash=digest, old_key_ends_at__gt=now)
        return self.live(now).filter(models.Q(key_hash=digest) | replaced).first()


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
    # The secret before the last rotation; it works until then.
    old_key_hash = models.CharField(
        max_length=64, unique=True, null=True, editable=False
    )
    old_key_ends_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Ends by itself then; empty: never."
    )
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
            models.CheckConstraint(
                condition=models.Q(old_key_hash=None, old_key_ends_at=None)
                | models.Q(old_key_hash__isnull=False, old_key_ends_at__isnull=False),
                name="apikey_old_secret_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or self.Scope.ADMIN in self.scopes

    def is_live(self, now: datetime) -> bool:
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not is_over

    def describe_state(self, now: datetime) -> str:
        """live, rotating (two secrets work), expired or revoked."""
        if not self.is_live(now):
            return "revoked" if self.revoked_at else "expired"
        is_rotating = self.old_key_ends_at is not None and self.old_key_ends_at > now
        return "rotating" if is_rotating else "live"

    @classmethod
    def issue(
        cls,
        *,
        name: str,
        scopes: list[str],
        created_by: User | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; the secret is returned here and never again."""
        secret = make_secret()
        row = cls.objects.create(
            name=name,
            scopes=scopes,
            created_by=created_by,
            expires_at=expires_at,
            prefix=secret[:10],
            key_hash=hash_key(secret),
        )
        return row, secret

    def rotate(self, *, old_ends_at: datetime) -> str:
        """Give it a new secret, returned here and never again; the one before works
        until `old_ends_at`, an older one ends now."""
        secret = make_secret()
        self.old_key_hash, self.old_key_ends_at = self.key_hash, old_ends_at
        self.key_hash, self.prefix = hash_key(secret), secret[:10]
        self.save(
            update_fields=["old_key_hash", "old_key_ends_at", "key_hash", "prefix"]
        )
        return secret

    rotate.alters_data = True  # type: ignore[attr-defined]
