"""Segment's Node client and its descendants, as published, over a socket."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Site
from tests.clients.environments import SCRIPTS, install_node
from tests.clients.rows import check_segment_rows

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("package", "version", "refusal"),
    [
        ("@segment/analytics-node", "3.1.0", "[401] Unauthorized"),
        ("analytics-node", "6.2.0", "Request failed with status code 401"),
        (
            "@rudderstack/rudder-sdk-node",
            "3.0.13",
            "Request failed with status code 401",
        ),
        ("@customerio/cdp-analytics-node", "0.5.9", "[401] Unauthorized"),
    ],
)
def test_each_call_becomes_the_row_it_means(
    package: str, version: str, refusal: str, site: Site
) -> None:
    client = install_node(f"{package}@{version}")
    said = client.run(
        SCRIPTS / "segment_family.mjs",
        PACKAGE=package,
        SITE_URL=site.url,
        SITE_KEY=site.key,
    ).read_json()

    assert said == {"failed": [], "refused": [refusal]}
    check_segment_rows()
