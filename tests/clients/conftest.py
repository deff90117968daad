"""A live site for the clients: the real web server, and a key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.factories import make_api_key
from tests.server import run_server


@dataclass(frozen=True, slots=True)
class Site:
    """Where the site listens, and a key that may send events."""

    port: int
    key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    with run_server(threads=4) as port:
        yield Site(port, make_api_key("track"))
