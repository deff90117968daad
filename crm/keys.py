"""API keys: issued once, rotated with an overlap, revoked for good; all leave an audit
row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from crm.models import ApiKey
from crm.models.audit import record_audit

# How long the old secret works beside the new one, unless told otherwise.
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=30)


class KeyEndedError(Exception):
    """A key that was revoked, or is past its end, gets no new secret."""


@transaction.atomic
def issue_api_key(
    *, name: str, scopes: list[str], actor: Any, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can read again."""
    user = actor if hasattr(actor, "get_username") else None
    row, secret = ApiKey.issue(
        name=name, scopes=scopes, created_by=user, expires_at=expires_at
    )
    record_audit(actor=actor, action="issued", on=row, changes={"scopes": scopes})
    return row, secret


@transaction.atomic
def rotate_api_key(
    key: ApiKey, *, actor: Any, overlap: timedelta = OVERLAP
) -> tuple[ApiKey, str]:
    """The same key with a new secret; the old one works for `overlap` more (0: ends
    now), one that a rotation before had left ends at once. Raises KeyEndedError."""
    now = timezone.now()
    row = ApiKey.objects.select_for_update().get(pk=key.pk)
    if not row.is_live(now):
        raise KeyEndedError(f"{row} has ended: issue a new key.")
    ends_at = now + min(overlap, MAX_OVERLAP)
    secret = row.rotate(old_ends_at=ends_at)
    changes = {"old_secret_ends_at": ends_at.isoformat(timespec="seconds")}
    record_audit(actor=actor, action="rotated", on=row, changes=changes)
    return row, secret


@transaction.atomic
def revoke_api_key(key: ApiKey, *, actor: Any) -> bool:
    """End a key; False where it had ended before. Processes that cache it follow
    within `crm.api.auth.KEY_CACHE_S` seconds."""
    now = timezone.now()
    ended = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    if ended:
        record_audit(actor=actor, action="revoked", on=key)
    return bool(ended)
