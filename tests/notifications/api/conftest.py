"""Callers of the API: by key, and signed-in staff."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from crm import bell
from crm.api import auth
from tests.factories import make_api_key


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Rings of the bell; the broker is the outermost edge."""
    heard: list[str] = []
    monkeypatch.setattr(
        bell.app, "send_task", lambda name, **options: heard.append(name)
    )
    auth.forget_keys()
    yield heard
    auth.forget_keys()


def wait_for_ring(rings: list[str]) -> None:
    """The bell is rung by a thread of its own."""
    for _ in range(100):
        if rings:
            return
        time.sleep(0.02)


@pytest.fixture
def by_key(db: None) -> Callable[..., APIClient]:
    """A client with a new key of these scopes."""

    def make(*scopes: str) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_api_key(*scopes)}")
        return client

    return make


@pytest.fixture
def by_staff(db: None) -> Callable[..., APIClient]:
    """A signed-in member of staff with these rights."""

    def make(*codes: str) -> APIClient:
        user = User.objects.create_user(f"staff-{'-'.join(codes)}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codes))
        client = APIClient()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make
