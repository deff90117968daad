"""Kill switches: off at once, on with a word about what is too late."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from crm.models import AuditEntry
from notifications.delivery.expire import expire_overdue
from notifications.delivery.switches import count_behind, resume_sending, stop_sending
from notifications.models import Delivery, Switch
from tests.factories import make_campaign, make_delivery, make_sender

pytestmark = pytest.mark.django_db


def make_waiting(*, hours: int) -> Delivery:
    return make_delivery(
        make_campaign(),
        state="pending",
        expires_at=timezone.now() + timedelta(hours=hours),
    )


def test_stopping_twice_leaves_one_switch_and_one_audit_row() -> None:
    stop_sending("all", by="test", reason="wrong price")
    stop_sending("all", by="test", reason="again")
    switch = Switch.objects.get()
    assert (switch.scope, switch.reason) == ("all", "wrong price")
    assert AuditEntry.objects.filter(action="stopped").count() == 1


def test_resuming_says_what_waits_and_what_is_too_late() -> None:
    make_waiting(hours=1)
    make_waiting(hours=-1)
    make_waiting(hours=-2)
    stop_sending("all", by="test")
    # One of them the sweeper has ended already.
    assert expire_overdue(limit=1) == 1
    done = resume_sending("all", by="test")
    assert (done.was_off, done.waiting, done.too_late) == (True, 1, 2)
    assert not Switch.objects.exists()
    entry = AuditEntry.objects.get(action="resumed")
    assert entry.changes == {"waiting": 1, "too_late": 2}


def test_resuming_what_is_on_changes_nothing() -> None:
    assert resume_sending("all", by="test").was_off is False
    assert not AuditEntry.objects.filter(action="resumed").exists()


@pytest.mark.parametrize(
    "scope", ["", "everything", "channel:pigeon", "sender:", "sender:x", "sender:99999"]
)
def test_a_scope_that_stops_nothing_is_refused(scope: str) -> None:
    with pytest.raises(ValidationError):
        stop_sending(scope, by="test")
    assert not Switch.objects.exists()


def test_a_scope_counts_its_own_messages_only() -> None:
    row = make_waiting(hours=1)
    assert count_behind(f"sender:{row.sender_id}") == (1, 0)
    assert count_behind("channel:push") == (1, 0)
    assert count_behind("channel:sms") == (0, 0)
    assert count_behind(f"sender:{make_sender(name='Other').pk}") == (0, 0)


def test_the_command_stops_and_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("stop_sending", "--scope", "channel:push", "--reason", "fire")
    assert Switch.objects.get().scope == "channel:push"
    call_command("stop_sending", "--scope", "channel:push", "--resume")
    assert not Switch.objects.exists()
    assert "0 messages wait" in capsys.readouterr().out


def test_the_command_refuses_a_wrong_scope_in_one_line() -> None:
    with pytest.raises(CommandError, match="Use all, channel"):
        call_command("stop_sending", "--scope", "moon")
