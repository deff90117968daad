from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm import bell
from crm.api import auth
from crm.events.vocabulary import forget_written
from tests.callers import Caller


@pytest.fixture(autouse=True)
def rings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Rings of the bell; the broker is the outermost edge."""
    heard: list[str] = []
    monkeypatch.setattr(
        bell.app, "send_task", lambda name, **options: heard.append(name)
    )
    auth.forget_keys()
    forget_written()
    yield heard
    auth.forget_keys()
    forget_written()


@pytest.fixture
def api() -> Caller:
    return Caller("track", "read")
