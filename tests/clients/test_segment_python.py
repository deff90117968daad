"""Segment's Python client and its descendants, as published, over a socket."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Site
from tests.clients.environments import SCRIPTS, install_python
from tests.clients.rows import check_segment_rows

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("segment-analytics-python==2.4.0", "segment.analytics"),
        ("analytics-python==1.4.post1", "analytics"),
        ("rudder-sdk-python==2.1.9", "rudderstack.analytics"),
        ("customerio-cdp-analytics==1.1.0", "customerio.analytics"),
    ],
)
def test_each_call_becomes_the_row_it_means(
    package: str, module: str, site: Site
) -> None:
    client = install_python(package)
    said = client.run(
        SCRIPTS / "segment_family.py",
        MODULE=module,
        SITE_URL=site.url,
        SITE_KEY=site.key,
    ).read_json()

    assert said["failed"] == []
    assert said["refused"] == {
        "name": "APIError",
        "status": 401,
        "code": "authentication_failed",
        "message": "Unknown or revoked API key.",
    }
    check_segment_rows()
