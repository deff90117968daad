"""System checks: a second factor that would guard nothing stops the start."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_permission_codename
from django.core.checks import CheckMessage, Error, Warning

from crm.second_factor.door import list_guarded_rights

# In this order: who they are, what they proved, what they may therefore do.
ROAD = [
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "crm.api.second_factor.SecondFactorMiddleware",
]


def check_second_factor(**_options: Any) -> list[CheckMessage]:
    """SECOND_FACTOR, SECOND_FACTOR_RIGHTS and the MIDDLEWARE that asks them."""
    found: list[CheckMessage] = []
    if [name for name in settings.MIDDLEWARE if name in ROAD] != ROAD:
        text = "Nobody would be asked for a second factor."
        hint = f"MIDDLEWARE must name, in this order: {', '.join(ROAD)}"
        found.append(Error(text, hint=hint, id="crm.E101"))
    for right in sorted(list_guarded_rights() - list_known_rights()):
        text = f"SECOND_FACTOR_RIGHTS: there is no right {right!r} to guard"
        found.append(Error(text, id="crm.E102"))
    is_own_server = settings.EMBEDDED_CLUSTER is None and not settings.DEBUG
    if settings.SECOND_FACTOR == "off" and is_own_server:
        text = "The second factor is off: whoever guesses a password may send."
        hint = "Unset SECOND_FACTOR to require it of staff who may send."
        found.append(Warning(text, hint=hint, id="crm.W101"))
    return found


def list_known_rights() -> set[str]:
    """Every right of every model, without asking the database."""
    known = set()
    for model in apps.get_models():
        meta = model._meta
        verbs = meta.default_permissions
        names = [get_permission_codename(verb, meta) for verb in verbs]
        names += [code for code, _ in meta.permissions]
        known |= {f"{meta.app_label}.{name}" for name in names}
    return known
