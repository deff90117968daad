from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from crm.models import AuditEntry
from crm.second_factor.factors import has_factor
from tests.staff import make_factor, make_staff

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("reset_second_factor", *arguments, stdout=out)
    return out.getvalue()


def test_a_locked_out_person_is_let_in_and_the_trail_says_so() -> None:
    ada = make_staff("ada")
    make_factor(ada)
    assert run("ada", "--reason", "called back") == (
        "ada has no second factor any more. Where it is required, they set up a new "
        "one before they may send.\n"
    )
    assert not has_factor(ada)
    entry = AuditEntry.objects.get(action="reset second factor")
    assert (entry.actor_name, entry.reason) == ("command", "called back")
    assert run("ada") == "ada had no second factor.\n"


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        run("nobody")
