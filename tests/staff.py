"""Members of staff, their authenticator apps, and browsers they are logged in with."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from crm.second_factor.factors import begin_setup, finish_setup

PASSWORD = "correct horse battery"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@cache
def hash_once() -> str:
    """Hashing is slow on purpose."""
    return make_password(PASSWORD)


def make_staff(name: str = "ada", role: str = "", **fields: Any) -> User:
    fields.setdefault("password", hash_once())
    person = User.objects.create(username=name, is_staff=True, **fields)
    if role:
        person.groups.add(Group.objects.get(name=role))
    return person


def read_app(device: TOTPDevice, *, steps: int = 0) -> str:
    """What the app shows, now or so many half minutes from now."""
    app = TOTP(device.bin_key)
    app.time = time.time() + steps * device.step
    return f"{app.token():06d}"


def make_factor(person: User) -> tuple[TOTPDevice, list[str]]:
    """Set up with the code of the step before: the one of now is still good."""
    device = begin_setup(person)
    return finish_setup(person, read_app(device, steps=-1))


def log_in(person: User, *, proved: bool = False) -> Client:
    """A browser with the password behind it; `proved`: and the second factor."""
    client = Client()
    client.force_login(person, BACKEND)
    if proved:
        device, _ = make_factor(person)
        session = client.session
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session.save()
    return client
