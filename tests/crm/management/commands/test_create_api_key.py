"""The command that makes an integrator's key."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from crm.models import ApiKey, AuditEntry


@pytest.mark.django_db
def test_the_key_stands_alone_on_the_last_line() -> None:
    out = io.StringIO()
    said = ("--scope", "track", "--scope", "send", "--name", "shop")
    call_command("create_api_key", *said, stdout=out, stderr=out)
    key = out.getvalue().splitlines()[-1]
    row = ApiKey.objects.matching(key)
    assert row is not None
    assert (row.name, row.scopes) == ("shop", ["send", "track"])
    assert key not in (row.key_hash, row.prefix)
    assert AuditEntry.objects.get().action == "issued"


def test_a_scope_is_asked_for() -> None:
    with pytest.raises(CommandError, match="--scope"):
        call_command("create_api_key")
