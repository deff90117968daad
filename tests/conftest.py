"""Wiring shared by all tests: the database, and the services that may be absent."""

from __future__ import annotations

import shutil
import socket

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from crm.embedded.postgres import attach_configured
from crm.events.standing import forget_fixes
from crm.quality.rejections import forget_noted

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """The embedded server, unless DATABASE_URL names one. A test's rows need not
    survive a power cut."""
    attach_configured()
    options = connections["default"].settings_dict.setdefault("OPTIONS", {})
    options.setdefault("options", "-c synchronous_commit=off")
    # Django is not set up when this file is read.
    from tests.database import use_template

    with django_db_blocker.unblock():
        use_template()


@pytest.fixture(autouse=True)
def _lay_products(request: pytest.FixtureRequest) -> None:
    """A test that commits ends with a flush, which takes what migrations laid."""
    if "transactional_db" in request.fixturenames or _commits(request):
        # Django is not set up when this file is read.
        from crm.catalog.catalogs import find_products_catalog

        request.getfixturevalue("transactional_db")
        find_products_catalog()


def _commits(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction"))


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What a test before this one wrote is rolled back: no process may believe it."""
    forget_fixes()
    forget_noted()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Debian's Chromium, for Playwright's `executable_path`."""
    path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here (Debian: apt install chromium)")
    return path


@pytest.fixture(scope="session")
def redis_url() -> str:
    require_port(6379, "Redis")
    return "redis://127.0.0.1:6379/15"


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    require_port(5672, "RabbitMQ")
    return "amqp://guest:guest@127.0.0.1:5672//"


def require_port(port: int, name: str) -> None:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        pytest.skip(f"no {name} on 127.0.0.1:{port}")
