"""A login that sees everything, and one for each role."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client


@pytest.fixture
def login_as(db: None) -> Callable[[str], Client]:
    """A browser logged in with this role and nothing else."""

    def login(role: str) -> Client:
        user = User.objects.create_user(f"{role} person", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user)
        return client

    return login
