"""Set up, proved, replaced, taken away."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connections
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from crm.models import AuditEntry
from crm.second_factor.factors import (
    begin_setup,
    count_recovery_codes,
    finish_setup,
    has_factor,
    prove_person,
    replace_recovery_codes,
    reset_factor,
)
from tests.staff import make_factor, make_staff, read_app

pytestmark = pytest.mark.django_db


def list_audit() -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(object_type="auth.user").order_by("pk")
    return list(rows.values_list("actor_name", "action"))


def test_a_secret_counts_only_after_its_first_code() -> None:
    ada = make_staff()
    device = begin_setup(ada)
    assert not has_factor(ada)
    with pytest.raises(ValidationError, match="wrong or was used before"):
        prove_person(ada, read_app(device))
    proved, codes = finish_setup(ada, read_app(device))
    assert proved.pk == device.pk
    assert has_factor(ada)
    assert len(set(codes)) == count_recovery_codes(ada) == 10
    assert list_audit() == [("ada", "set up second factor")]


def test_a_wrong_first_code_changes_nothing() -> None:
    ada = make_staff()
    device = begin_setup(ada)
    wrong = f"{(int(read_app(device)) + 1) % 10**6:06d}"
    with pytest.raises(ValidationError, match="The next try is in 1 second"):
        finish_setup(ada, wrong)
    assert not has_factor(ada)
    assert count_recovery_codes(ada) == 0
    assert list_audit() == []


def test_beginning_again_forgets_the_secret_before() -> None:
    ada = make_staff()
    first, second = begin_setup(ada), begin_setup(ada)
    assert [row.pk for row in TOTPDevice.objects.filter(user=ada)] == [second.pk]
    assert first.key != second.key


def test_finishing_what_was_not_begun_is_refused() -> None:
    with pytest.raises(ValidationError, match="Begin again"):
        finish_setup(make_staff(), "123456")


def test_a_code_of_the_app_is_good_once() -> None:
    ada = make_staff()
    device, _ = make_factor(ada)
    code = read_app(device)
    assert prove_person(ada, f"{code[:3]} {code[3:]}") == device
    with pytest.raises(ValidationError, match="was used before"):
        prove_person(ada, code)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_four_requests_at_once_one_may_use_a_code(kind: str) -> None:
    ada = make_staff()
    device, codes = make_factor(ada)
    code = read_app(device) if kind == "app" else codes[0]
    barrier = threading.Barrier(4)
    taken: list[bool] = []

    def work() -> None:
        barrier.wait()
        try:
            prove_person(ada, code)
            taken.append(True)
        except ValidationError:
            taken.append(False)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]


def test_a_recovery_code_is_good_once_and_leaves_a_record() -> None:
    ada = make_staff()
    _, codes = make_factor(ada)
    assert isinstance(prove_person(ada, codes[3].upper()), StaticDevice)
    assert count_recovery_codes(ada) == 9
    with pytest.raises(ValidationError, match="wrong or was used before"):
        prove_person(ada, codes[3])
    entry = AuditEntry.objects.get(action="used recovery code")
    assert (entry.actor, entry.changes) == (ada, {"left": 9})


def test_a_recovery_code_of_somebody_else_opens_nothing() -> None:
    ada, bob = make_staff("ada"), make_staff("bob")
    _, codes = make_factor(ada)
    make_factor(bob)
    with pytest.raises(ValidationError):
        prove_person(bob, codes[0])
    assert count_recovery_codes(ada) == count_recovery_codes(bob) == 10


def test_the_table_holds_no_code_that_opens_anything() -> None:
    ada = make_staff()
    make_factor(ada)
    for kept in StaticToken.objects.values_list("token", flat=True)[:1]:
        with pytest.raises(ValidationError):
            prove_person(ada, kept)
    assert count_recovery_codes(ada) == 10


def test_each_wrong_code_doubles_the_wait_and_a_right_one_must_wait_too() -> None:
    ada = make_staff()
    start = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        device, _ = make_factor(ada)
        waits: list[str] = []
        for wait in (1, 2, 4, 8):
            wrong = f"{(int(read_app(device)) + 1) % 10**6:06d}"
            with pytest.raises(ValidationError) as refused:
                prove_person(ada, wrong)
            waits += refused.value.messages
            with pytest.raises(ValidationError, match="Too many wrong codes. Wait"):
                prove_person(ada, read_app(device))
            clock.shift(wait + 0.1)
        assert ["in 1 second." in waits[0], "in 8 seconds." in waits[3]] == [True] * 2
        assert prove_person(ada, read_app(device)) == device
        device.refresh_from_db()
        assert device.throttling_failure_count == 0


def test_another_phone_replaces_the_one_before_when_it_has_proved_itself() -> None:
    ada = make_staff()
    old, codes = make_factor(ada)
    new = begin_setup(ada)
    assert prove_person(ada, read_app(old)) == old
    finish_setup(ada, read_app(new))
    assert list(TOTPDevice.objects.filter(user=ada)) == [new]
    with pytest.raises(ValidationError):
        prove_person(ada, codes[0])
    assert list_audit()[-1] == ("ada", "replaced second factor")


def test_new_recovery_codes_end_the_old_ones() -> None:
    ada = make_staff()
    _, old = make_factor(ada)
    new = replace_recovery_codes(ada, by=ada)
    assert count_recovery_codes(ada) == 10
    prove_person(ada, new[0])
    with pytest.raises(ValidationError):
        prove_person(ada, old[0])
    assert ("ada", "replaced recovery codes") in list_audit()


def test_a_reset_takes_all_away_and_says_who_did_it() -> None:
    ada, root = make_staff("ada"), make_staff("root")
    make_factor(ada)
    begin_setup(ada)
    assert reset_factor(ada, by=root, reason="lost") is True
    assert not TOTPDevice.objects.filter(user=ada).exists()
    assert not StaticDevice.objects.filter(user=ada).exists()
    entry = AuditEntry.objects.get(action="reset second factor")
    assert (entry.actor, entry.object_id, entry.reason) == (root, str(ada.pk), "lost")
    assert reset_factor(ada, by=root) is False
    assert AuditEntry.objects.filter(action="reset second factor").count() == 1
