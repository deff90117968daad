"""What a person proves themselves with: set up, proved, replaced, taken away.

django-otp's rows: one confirmed TOTPDevice (the app on their phone), and one
StaticDevice that holds the recovery codes. A code is good once; wrong ones cost a
wait that doubles each time.
"""

from __future__ import annotations

import logging
from math import ceil
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from crm.models.audit import record_audit
from crm.second_factor.codes import fingerprint_code, is_app_code, make_code, read_code

logger = logging.getLogger(__name__)
# As many as fit on a slip of paper; each is good once.
RECOVERY_CODES = 10
WRONG = "This code is wrong or was used before."
CLOCK = " If it goes on, check that the clock of your phone is set automatically."
NOTHING = "Nothing is being set up. Begin again."


def has_factor(person: User) -> bool:
    return TOTPDevice.objects.devices_for_user(person, confirmed=True).exists()


def mark_factors(people: QuerySet[User]) -> QuerySet[User]:
    """With `has_factor` on each."""
    confirmed = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
    return people.annotate(has_factor=Exists(confirmed))


def find_factor(person: User) -> TOTPDevice | None:
    return TOTPDevice.objects.devices_for_user(person, confirmed=True).first()


def find_unfinished(person: User) -> TOTPDevice | None:
    """The secret that waits for its first code."""
    return TOTPDevice.objects.devices_for_user(person, confirmed=False).first()


def count_recovery_codes(person: User) -> int:
    return StaticToken.objects.filter(device__user=person).count()


@transaction.atomic
def begin_setup(person: User) -> TOTPDevice:
    """A new secret, which counts for nothing until a code proves it. One that was
    begun before is forgotten; the one in force stays."""
    _lock_person(person)
    TOTPDevice.objects.devices_for_user(person, confirmed=False).delete()
    return TOTPDevice.objects.create(
        user=person, name="Authenticator app", confirmed=False
    )


def finish_setup(person: User, said: str) -> tuple[TOTPDevice, list[str]]:
    """The secret is in force and replaces the one before; with new recovery codes,
    which nobody can read again. ValidationError for a wrong code."""
    with transaction.atomic():
        _lock_person(person)
        device, refusal = _try_code(
            TOTPDevice, person, read_code(said), confirmed=False
        )
        if not refusal:
            before = TOTPDevice.objects.devices_for_user(person, confirmed=True)
            action = "replaced" if before.delete()[0] else "set up"
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            codes = _write_codes(person)
            record_audit(actor=person, action=f"{action} second factor", on=person)
    if refusal:
        raise ValidationError(refusal)
    return device, codes


def prove_person(person: User, said: str) -> TOTPDevice | StaticDevice:
    """What took the code, of the app or for recovery; ValidationError if nothing."""
    code = read_code(said)
    with transaction.atomic():
        if is_app_code(code):
            device, refusal = _try_code(TOTPDevice, person, code)
        else:
            device, refusal = _try_code(
                StaticDevice, person, fingerprint_code(person.pk, code)
            )
            if not refusal:
                _record_use(person)
    if refusal:
        raise ValidationError(refusal)
    return device


@transaction.atomic
def replace_recovery_codes(person: User, *, by: Any) -> list[str]:
    """New ones; those before are good no more."""
    _lock_person(person)
    record_audit(actor=by, action="replaced recovery codes", on=person)
    return _write_codes(person)


@transaction.atomic
def reset_factor(person: User, *, by: Any, reason: str = "") -> bool:
    """Take it away, with its codes: the password alone opens again. False where there
    was none."""
    _lock_person(person)
    had_one = has_factor(person)
    TOTPDevice.objects.devices_for_user(person).delete()
    StaticDevice.objects.devices_for_user(person).delete()
    if had_one:
        record_audit(actor=by, action="reset second factor", on=person, reason=reason)
    return had_one


def _try_code(
    kind: Any, person: User, code: str, *, confirmed: bool = True
) -> tuple[Any, str]:
    """The device that took the code, or why none did. Not by an exception: a wrong
    try must be committed, so that its wait counts. Locked: a code is good once."""
    found = kind.objects.select_for_update().filter(user=person)
    device = found.filter(confirmed=confirmed).first()
    in_time = device is not None and device.verify_is_allowed()[0]
    if in_time and device.verify_token(code):
        return device, ""
    logger.warning("second factor refused for user %s", person.pk)
    if device is None:
        return None, WRONG if confirmed else NOTHING
    return None, _explain_refusal(device, in_time=in_time)


def _explain_refusal(device: Any, *, in_time: bool) -> str:
    allowed, why = device.verify_is_allowed()
    if allowed:
        return WRONG + CLOCK
    wait = max(1, ceil((why["locked_until"] - timezone.now()).total_seconds()))
    seconds = "1 second" if wait == 1 else f"{wait:,} seconds"
    if not in_time:
        return f"Too many wrong codes. Wait {seconds}, then try again."
    return f"{WRONG} The next try is in {seconds}.{CLOCK}"


def _record_use(person: User) -> None:
    left = {"left": count_recovery_codes(person)}
    record_audit(actor=person, action="used recovery code", on=person, changes=left)


def _write_codes(person: User) -> list[str]:
    codes = [make_code() for _ in range(RECOVERY_CODES)]
    device, _ = StaticDevice.objects.get_or_create(
        user=person, defaults={"name": "Recovery codes"}
    )
    device.throttle_reset()
    device.token_set.all().delete()
    StaticToken.objects.bulk_create(
        StaticToken(device=device, token=fingerprint_code(person.pk, read_code(code)))
        for code in codes
    )
    return codes


def _lock_person(person: User) -> None:
    """One change of a person's factors at a time."""
    User.objects.select_for_update().get(pk=person.pk)
