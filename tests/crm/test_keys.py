"""Keys that rotate, end by themselves, and are revoked."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from crm.api import auth
from crm.keys import (
    KeyEndedError,
    issue_api_key,
    revoke_api_key,
    rotate_api_key,
)
from crm.models import ApiKey, AuditEntry

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def key() -> tuple[ApiKey, str]:
    auth.forget_keys()
    return issue_api_key(name="shop", scopes=["read"], actor="test")


def works(secret: str, *, in_hours: float = 0) -> bool:
    return ApiKey.objects.matching(secret, timezone.now() + in_hours * HOUR) is not None


def test_both_secrets_work_until_the_overlap_ends(key: tuple[ApiKey, str]) -> None:
    row, old = key
    rotated, new = rotate_api_key(row, actor="test")

    assert old != new
    assert (works(old), works(new)) == (True, True)
    assert (works(old, in_hours=23.9), works(old, in_hours=24.1)) == (True, False)
    assert works(new, in_hours=24.1)
    assert (rotated.pk, rotated.scopes, rotated.prefix) == (row.pk, ["read"], new[:10])
    entry = AuditEntry.objects.get(action="rotated")
    assert new not in str(entry.changes)


def test_without_an_overlap_the_old_secret_ends_now(key: tuple[ApiKey, str]) -> None:
    row, old = key
    _, new = rotate_api_key(row, actor="test", overlap=timedelta())

    assert (works(old), works(new)) == (False, True)


def test_rotating_twice_ends_the_oldest(key: tuple[ApiKey, str]) -> None:
    row, first = key
    _, second = rotate_api_key(row, actor="test")
    _, third = rotate_api_key(row, actor="test")

    assert [works(secret) for secret in (first, second, third)] == [False, True, True]


def test_revoking_ends_both_secrets(key: tuple[ApiKey, str]) -> None:
    row, old = key
    _, new = rotate_api_key(row, actor="test")
    assert revoke_api_key(row, actor="test")

    assert (works(old), works(new)) == (False, False)
    with pytest.raises(KeyEndedError):
        rotate_api_key(row, actor="test")


def test_a_key_ends_by_itself() -> None:
    until = timezone.now() + HOUR
    row, secret = issue_api_key(
        name="short", scopes=["read"], expires_at=until, actor="test"
    )

    assert (works(secret, in_hours=0.9), works(secret, in_hours=1.1)) == (True, False)
    assert row.describe_state(until - HOUR) == "live"
    assert row.describe_state(until) == "expired"
    # What is past its end can still be revoked.
    ApiKey.objects.update(expires_at=timezone.now() - HOUR)
    assert revoke_api_key(row, actor="test")


def test_the_api_takes_both_secrets_meanwhile(key: tuple[ApiKey, str]) -> None:
    row, old = key
    _, new = rotate_api_key(row, actor="test")
    for secret in (old, new):
        header = f"Bearer {secret}"
        answer = Client().get("/api/contacts/", HTTP_AUTHORIZATION=header)
        assert answer.status_code == 200
    row.refresh_from_db()
    assert row.last_used_at is not None


def run(*said: str) -> str:
    out = io.StringIO()
    call_command(*said, stdout=out, stderr=io.StringIO())
    return out.getvalue().splitlines()[-1]


def test_the_command_prints_the_new_secret_alone(key: tuple[ApiKey, str]) -> None:
    row, old = key
    new = run("rotate_api_key", row.prefix, "--overlap-hours", "2")

    assert (works(new), works(old, in_hours=1.9)) == (True, True)
    assert not works(old, in_hours=2.1)
    for said in ("apr_nobody", row.prefix):
        with pytest.raises(CommandError, match="keys begin"):
            call_command("rotate_api_key", said)


def test_a_key_made_by_the_command_may_end_by_itself() -> None:
    secret = run("create_api_key", "--scope", "read", "--days", "2")

    assert (works(secret, in_hours=47), works(secret, in_hours=49)) == (True, False)
