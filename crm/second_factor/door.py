"""The one door: what a signed-in person may do with the proof they gave.

The middleware puts every person of a request through `recognise_person`; from there
on, whoever asks `has_perm` (the admin, our pages, the API) asks here.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django_otp import login as remember_device

from crm.second_factor.factors import has_factor


@cache
def list_guarded_rights() -> frozenset[str]:
    """The rights that send, approve or hand out the means to."""
    return frozenset(import_string(settings.SECOND_FACTOR_RIGHTS))


def recognise_person(request: HttpRequest, person: Any) -> Any:
    """Whom this request may count on.

    With a second factor but without its code they are nobody yet: only
    `find_half_signed_in` knows them. One query, for who has not proved one.
    """
    if not person.is_authenticated:
        return person
    if not person.is_verified() and has_factor(person):
        request.half_signed_in = person  # type: ignore[attr-defined]
        return AnonymousUser()
    person.withheld = set()
    person.has_perm = partial(may_use, person)
    return person


def find_half_signed_in(request: HttpRequest) -> User | None:
    """Who gave the right password and still owes the code."""
    if request.user.is_authenticated:
        return None
    return getattr(request, "half_signed_in", None)


def complete_sign_in(request: HttpRequest, person: User, device: Any) -> None:
    """Count on this person from now on; `device` took their code."""
    request.session.cycle_key()
    request.user = person
    remember_device(request, device)


def may_use(person: Any, right: str, obj: Any = None) -> bool:
    """Whether they have the right and, where it sends, proved a second factor.

    What was refused for that alone is noted in `person.withheld`, so that the answer
    can say what to do.
    """
    if not User.has_perm(person, right, obj):
        return False
    if person.is_verified() or not is_guarded(right):
        return True
    person.withheld.add(right)
    return False


def is_guarded(right: str) -> bool:
    return settings.SECOND_FACTOR == "required" and right in list_guarded_rights()


def was_withheld(request: Any) -> bool:
    """Whether this request was refused something for want of a second factor."""
    return bool(getattr(getattr(request, "user", None), "withheld", None))


def lacks_factor(person: Any) -> bool:
    """Whether rights of theirs wait until they set one up."""
    if settings.SECOND_FACTOR != "required" or person.is_verified():
        return False
    return any(User.has_perm(person, right) for right in list_guarded_rights())
