"""API keys: issued once, revoked for good; both leave an audit row."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from crm.models import ApiKey
from crm.models.audit import record_audit


@transaction.atomic
def issue_api_key(*, name: str, scopes: list[str], actor: Any) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can read again."""
    user = actor if hasattr(actor, "get_username") else None
    row, secret = ApiKey.issue(name=name, scopes=scopes, created_by=user)
    record_audit(actor=actor, action="issued", on=row, changes={"scopes": scopes})
    return row, secret


@transaction.atomic
def revoke_api_key(key: ApiKey, *, actor: Any) -> bool:
    """End a key; False where it had ended before. Processes that cache it follow
    within `crm.api.auth.KEY_CACHE_S` seconds."""
    ended = ApiKey.objects.live().filter(pk=key.pk).update(revoked_at=timezone.now())
    if ended:
        record_audit(actor=actor, action="revoked", on=key)
    return bool(ended)
