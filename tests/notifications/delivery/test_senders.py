"""Senders: a key is checked before it is kept, and never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from crm.models import AuditEntry, Brand
from notifications.delivery.breaker import open_breaker
from notifications.delivery.senders import pause_sender, resume_sender, save_sender
from notifications.models import Sender
from notifications.sandbox.oauth import make_service_account
from tests.factories import make_sender

pytestmark = pytest.mark.django_db


def make_changes(**fields: Any) -> dict[str, Any]:
    brand, _ = Brand.objects.get_or_create(slug="acme", defaults={"name": "Acme"})
    return {
        "name": "Live push",
        "brand": brand,
        "channel": "push",
        "kind": "fcm",
        "is_default": True,
        "rate_per_min": 1_000,
        **fields,
    }


def make_key() -> str:
    account = make_service_account("https://oauth2.googleapis.com")
    return json.dumps({**account, "token_uri": "https://oauth2.googleapis.com/token"})


def test_a_key_is_encrypted_and_stays_out_of_the_audit_row() -> None:
    key = make_key()
    sender = save_sender(Sender(), by="test", changed=make_changes(credentials=key))
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM notifications_sender")
        [(stored,)] = cursor.fetchall()
    assert "private_key" not in stored
    assert Sender.objects.get().credentials == key
    entry = AuditEntry.objects.get(object_id=str(sender.pk))
    assert "private_key" not in json.dumps(entry.changes)


@pytest.mark.parametrize(
    ("_case", "credentials"),
    [
        ("none", ""),
        ("no JSON", "hello"),
        ("a list", "[]"),
        ("no account", "{}"),
        ("too large", '{"a": "' + "x" * 30_000 + '"}'),
    ],
)
def test_a_key_that_is_none_is_refused_by_its_field(
    _case: str, credentials: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        save_sender(Sender(), by="test", changed=make_changes(credentials=credentials))
    assert list(caught.value.message_dict) == ["credentials"]
    assert not Sender.objects.exists()


def test_a_new_default_takes_the_place_of_the_old_one() -> None:
    old = make_sender(is_default=True)
    save_sender(
        Sender(), by="test", changed=make_changes(kind="sandbox", credentials="")
    )
    old.refresh_from_db()
    assert old.is_default is False


def test_pause_and_resume_leave_their_marks() -> None:
    sender = make_sender()
    pause_sender(sender, by="test", reason="")
    assert Sender.objects.get().paused_reason == "Paused by staff."
    open_breaker(sender, platform="", reason="503")
    resume_sender(sender, by="test")
    assert Sender.objects.get().paused_at is None
    assert not sender.breakers.exists()
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["paused", "resumed"]
