"""Senders: save, pause and resume, each one function; a key is checked before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.clock import read_clock
from crm.models.audit import record_audit
from notifications.channels.base import ChannelConfigError
from notifications.channels.registry import SenderFacts, check_sender
from notifications.models import Alert, Breaker, Sender

# A service account's JSON is 2 to 3 KB.
MAX_CREDENTIALS_BYTES = 20_000


def save_sender(sender: Sender, *, by: Any, changed: Mapping[str, Any]) -> Sender:
    """Create or change; `changed` are its new columns, credentials as JSON text.

    A new key closes the breakers, so that it is tried at once. Raises
    ValidationError naming the field; the audit row never holds the key.
    """
    created = sender.pk is None
    for name, value in changed.items():
        setattr(sender, name, value)
    check_credentials(sender)
    with transaction.atomic():
        if sender.is_default:
            Sender.objects.filter(channel=sender.channel, is_default=True).exclude(
                pk=sender.pk
            ).update(is_default=False)
        sender.full_clean()
        sender.save()
        if "credentials" in changed and not created:
            Breaker.objects.filter(sender=sender).delete()
            for platform in ("all", "ios", "android", "web", "config"):
                Alert.objects.resolve(f"sender:{sender.pk}:{platform}")
        record_audit(
            actor=by,
            action="created" if created else "edited",
            on=sender,
            changes={"fields": sorted(changed)},
        )
    return sender


def check_credentials(sender: Sender) -> None:
    """Refuse a sender that could not be opened; connects to nothing."""
    if sender.kind == Sender.Kind.FCM and not sender.credentials:
        raise ValidationError({"credentials": "Upload the service account's JSON."})
    if len(sender.credentials) > MAX_CREDENTIALS_BYTES:
        raise ValidationError({"credentials": "Too large for a service account."})
    try:
        parsed = json.loads(sender.credentials) if sender.credentials else {}
    except ValueError as error:
        raise ValidationError({"credentials": "This is not a JSON file."}) from error
    if not isinstance(parsed, dict):
        raise ValidationError({"credentials": "This is not a service account."})
    version = hashlib.sha256(sender.credentials.encode()).hexdigest()[:16]
    try:
        check_sender(SenderFacts(str(sender.pk), sender.kind, version, parsed))
    except ChannelConfigError as error:
        field = "credentials" if sender.kind == Sender.Kind.FCM else "kind"
        raise ValidationError({field: str(error)}) from error


def pause_sender(sender: Sender, *, by: Any, reason: str = "") -> Sender:
    with transaction.atomic():
        sender.pause(at=read_clock(), reason=reason or "Paused by staff.")
        record_audit(actor=by, action="paused", on=sender, reason=reason)
    return sender


def resume_sender(sender: Sender, *, by: Any) -> Sender:
    """Also closes its breakers: the next batch is the probe."""
    with transaction.atomic():
        sender.resume()
        Breaker.objects.filter(sender=sender).delete()
        record_audit(actor=by, action="resumed", on=sender)
    return sender
