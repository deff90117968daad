from __future__ import annotations

from datetime import timedelta

import pytest

from crm.models import AuditEntry
from preferences.models import Suppression
from preferences.suppressions import lift_suppression, suppress_contact
from tests.preferences.conftest import AT


def suppress(contact, reason="bounce", channel="email"):
    return suppress_contact(
        contact, channel=channel, reason=reason, at=AT, actor="rule", note="550"
    )


def test_the_same_twice_is_one_row_and_one_deed(contact):
    assert suppress(contact) == suppress(contact)
    assert Suppression.objects.count() == 1
    [deed] = AuditEntry.objects.all()
    assert (deed.action, deed.reason) == ("suppressed", "550")
    assert deed.changes == {"channel": "email", "reason": "bounce"}


def test_two_reasons_are_lifted_apart(contact):
    bounce, complaint = suppress(contact), suppress(contact, reason="complaint")
    later = AT + timedelta(days=1)
    assert lift_suppression(bounce, at=later, actor="rule") is True
    assert bounce.lifted_at == later
    assert list(Suppression.objects.live()) == [complaint]


def test_lifting_twice_is_one_deed(contact):
    row = suppress(contact)
    assert lift_suppression(row, at=AT, actor="rule") is True
    assert lift_suppression(row, at=AT, actor="rule") is False
    assert AuditEntry.objects.filter(action="lifted").count() == 1


def test_after_lifting_it_can_be_stopped_anew(contact):
    first = suppress(contact)
    lift_suppression(first, at=AT, actor="rule")
    assert suppress(contact).pk != first.pk


def test_an_unknown_reason_is_refused(contact):
    with pytest.raises(ValueError, match="nonsense"):
        suppress(contact, reason="nonsense")
    assert Suppression.objects.count() == 0
