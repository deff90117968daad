"""How each load is sent, told and judged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import make_api_key
from tests.loads.machine import MachineWatch
from tests.loads.sender import Call, Load, Summary, summarize
from tests.loads.site import Site
from tests.loads.stream import Stream

logger = logging.getLogger(__name__)
BATCH = 50
LASTING_S = [
    pytest.param(15, id="short"),
    pytest.param(600, id="full", marks=pytest.mark.full),
]
# With more of the processors in others' hands, a latency is not ours to answer for.
OTHERS_MAX_SHARE = 0.25


def make_stream(count: int) -> Stream:
    return Stream(start=timezone.now() - timedelta(hours=1), count=count)


def prepare_load(
    site: Site, calls: Iterator[Call], *, rate_per_s: float, retrying: bool = False
) -> Load:
    """The load, once the processes have what they need for their first answers."""
    key = make_api_key("track")
    empty = ("/v1/batch", b'{"batch": []}')
    Load(site.port, key, iter([lambda: empty] * 200), rate_per_s=200).run()
    return Load(site.port, key, calls, rate_per_s=rate_per_s, retrying=retrying)


def send_all(site: Site, calls: Iterator[Call], *, rate_per_s: float) -> Summary:
    return summarize(prepare_load(site, calls, rate_per_s=rate_per_s).run())


def tell(name: str, *said: object) -> None:
    """Figures for the records: `--log-cli-level=INFO` shows them."""
    logger.info("%s: %s", name, "; ".join(map(str, said)))


def check_latency(summary: Summary, machine: MachineWatch, *, p99_ms: float) -> None:
    """The last check of a test: on a busy machine the rest of it has held by then."""
    if summary.p99_ms <= p99_ms:
        return
    said = f"p99 {summary.p99_ms} ms, not {p99_ms} ms: {summary}; {machine}"
    if machine.others_share > OTHERS_MAX_SHARE:
        pytest.skip(said)
    pytest.fail(said)
